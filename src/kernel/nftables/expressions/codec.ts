/** What one expression's file gives: the kernel's name for it, encoder and decoder. */
export interface ExpressionCodec<E extends { readonly kind: string }> {
  /** NFTA_EXPR_NAME. */
  readonly name: string;
  /** The attributes inside NFTA_EXPR_DATA; undefined for an expression that has none. */
  encode(expression: E): Buffer | undefined;
  /**
   * undefined for a variety that we never write (`meta mark set`, shifts). Throws MalformedMessage.
   * Without NFTA_EXPR_DATA the buffer is empty.
   */
  decode(data: Buffer): E | undefined;
}
