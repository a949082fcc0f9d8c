/**
 * What is wrong with a value and how to mend it, before anyone knows where it stands. The text never
 * holds the value itself: it may be a secret in the wrong place.
 */
export class Complaint {
  readonly what: string;
  readonly mend: string | undefined;

  constructor(what: string, mend?: string) {
    this.what = what;
    this.mend = mend;
  }

  /** One string for a zod message, which has no place for two. */
  encode(): string {
    return this.mend === undefined ? this.what : `${this.what}${separator}${this.mend}`;
  }

  static decode(text: string): Complaint {
    const [what = "", mend] = text.split(separator);
    return new Complaint(what, mend);
  }
}

const separator = "\n";
