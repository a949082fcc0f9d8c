/** How a peer is laid at its endpoint. */
export interface Standing {
  readonly translated: boolean;
  /** Another peer of its tunnel came to this very endpoint before: what an endpoint has once is that one's. */
  readonly second: boolean;
}

export const ALONE: Standing = { translated: false, second: false };
