{
  "variables": { "sanitize%": "0" },
  "targets": [
    {
      "target_name": "ipipoud",
      "sources": [
        "native/errors.cc",
        "native/module.cc",
        "native/netlink_fd.cc",
        "native/netlink_socket.cc",
        "native/notify.cc",
        "native/patterns.cc",
        "native/poll.cc",
        "native/privileges.cc",
        "native/queue.cc",
        "native/queue_burst.cc",
        "native/queue_channel.cc",
        "native/queue_message.cc",
        "native/queue_parse.cc",
        "native/queue_values.cc",
        "native/script.cc"
      ],
      # The last: a worker thread that is being terminated can't be thrown at; without it, it aborts.
      "defines": [
        "NAPI_VERSION=8",
        "NAPI_CPP_EXCEPTIONS",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
      ],
      "cflags!": ["-fno-exceptions", "-O3"],
      "cflags_cc!": ["-fno-exceptions", "-O3"],
      "cflags": ["-O2", "-Wall", "-Wextra", "-fvisibility=hidden"],
      # -isystem: warnings in other people's headers are not ours to mend.
      "cflags_cc": [
        "-std=c++17",
        "-fexceptions",
        "-isystem",
        "<!(node -p \"path.dirname(require.resolve('node-addon-api'))\")"
      ],
      "conditions": [
        [
          "sanitize==1",
          {
            # Developers' build: a user's newer compiler with a new warning shall not stop an installation.
            "cflags": [
              "-Werror",
              "-g",
              "-fsanitize=address,undefined",
              "-fno-sanitize-recover=all",
              "-fno-omit-frame-pointer"
            ],
            "ldflags": ["-fsanitize=address,undefined"]
          }
        ]
      ]
    }
  ]
}
