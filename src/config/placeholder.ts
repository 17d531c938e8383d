// `{account}` as it may stand in a path, a recipient or a sender: the account's name. Pure.
// Accounts that share a destination are told apart by it. What an address is stands in deliver/envelope.ts.

const ACCOUNT = '{account}'

/** The text as it is meant for one account. */
export function expandAccount(text: string, account: string): string {
  return text.replaceAll(ACCOUNT, account)
}

/** Whether something else stands in braces: a slip of the pen, not a name. */
export function hasUnknownPlaceholder(text: string): boolean {
  return /\{[^{}]*\}/.test(text.replaceAll(ACCOUNT, ''))
}
