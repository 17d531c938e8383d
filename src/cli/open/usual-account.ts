// An account with the defaults of all keys, to connect with: its user and password are never sent.
import { assemble } from '../../config/assemble.ts'
import type { Account } from '../../config/schema.ts'

export function usualAccount(): Account {
  const written = { host: 'localhost', user: 'nobody', password: 'none', deliver: 'maildir:/nowhere' }
  const [account] = assemble({ accounts: { server: written } }, (path) => path).configuration?.accounts ?? []
  if (account === undefined) throw new TypeError('the usual account is not one')
  return account
}
