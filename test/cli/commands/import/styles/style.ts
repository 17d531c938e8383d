// A configuration of an old tool in a style that people keep, and what it means. HOST, PORT and HOME stand for those of the test; the
// mailbox is alice's, her password is pw.
export interface Style {
  readonly title: string
  readonly text: string
  /** Does the old file say that what was fetched leaves the server? */
  readonly deletes: boolean
  /** Its record, where it is not the usual one. */
  readonly record?: { readonly file: string; readonly text: string }
  /** Other files that it needs. */
  readonly files?: Readonly<Record<string, string>>
  /** Where the new mail is: a Maildir, or a file that holds all of it. */
  readonly mail: string
}
