/** What went wrong at the start, in terms of the exit code and the mend. Pure. */
import { lackingExpression } from "../apply/nftables/lacking.ts";
import { ConfigurationError } from "../config/problems.ts";
import { RawSocketError } from "../kernel/rawsocket.ts";
import { exitCode, Failure } from "../net/failure.ts";
import { KernelError } from "../netlink/errors.ts";

/** Errors that are nobody's fault but a bug's stay as they are. */
export function asFailure(error: unknown): unknown {
  if (error instanceof Failure) return error;
  if (error instanceof ConfigurationError) {
    const code = error.onlyPrivilege ? exitCode.privilege : exitCode.usage;
    return new Failure(code, error.message, undefined, { cause: error });
  }
  if (error instanceof RawSocketError) {
    const denied = error.code === "EPERM" || error.code === "EACCES";
    return denied
      ? new Failure(exitCode.privilege, error.message, "give it CAP_NET_RAW", { cause: error })
      : new Failure(exitCode.runtime, error.message, undefined, { cause: error });
  }
  if (error instanceof KernelError) return kernelFailure(error);
  return error;
}

function kernelFailure(error: KernelError): Failure {
  const cause = { cause: error };
  const { message, code, operation } = error;
  switch (code) {
    case "EPERM":
      return new Failure(
        exitCode.privilege,
        message,
        "run it with CAP_NET_ADMIN; FOU listeners need it in the first user namespace",
        cause,
      );
    case "EOPNOTSUPP":
    case "EAFNOSUPPORT":
    case "EPROTONOSUPPORT":
      return new Failure(
        exitCode.kernel,
        message,
        operation.startsWith("RTM_NEWLINK ")
          ? "the kernel has no such devices: `modprobe ipip`"
          : "the kernel lacks it: load its module (ipip, fou, nft_queue)",
        cause,
      );
    case "ENOENT":
      return operation.startsWith("NFT_")
        ? new Failure(exitCode.kernel, message, lackingExpression(error), cause)
        : new Failure(exitCode.runtime, message, undefined, cause);
    case "EACCES":
      return operation.startsWith("FOU_CMD_ADD ")
        ? new Failure(
            exitCode.privilege,
            message,
            "ports below 1024 want CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities= and CapabilityBoundingSet=CAP_NET_BIND_SERVICE in a drop-in) or a lower `sysctl net.ipv4.ip_unprivileged_port_start`: give it, or set another port in `listen`",
            cause,
          )
        : new Failure(exitCode.runtime, message, undefined, cause);
    case "EADDRINUSE":
      return new Failure(
        exitCode.conflict,
        message,
        "something else holds this UDP port (`ss -ulnp`, `ip fou show`): stop it, or set another in `listen`",
        cause,
      );
    case "EADDRNOTAVAIL":
      return new Failure(
        exitCode.runtime,
        message,
        "no device has this outer address (yet): start later, or set `listen` to an address of this host",
        cause,
      );
    case "EEXIST":
      return new Failure(
        exitCode.conflict,
        message,
        "something of that name is there and is not ours",
        cause,
      );
    default:
      return new Failure(exitCode.runtime, message, undefined, cause);
  }
}
