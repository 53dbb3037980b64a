/** What is to become of one reference. */
export interface RefMove {
  /** In full, such as `refs/heads/main`. */
  readonly ref: string;
  /** The object that it must name now; null where it must not exist, undefined where that does not matter. */
  readonly from: string | null | undefined;
  /** The object that it is to name; null to remove it, the same as `from` only to make sure of it. */
  readonly to: string | null;
}
