// An account that is wrong by itself, while the others of its configuration are polled.
import { PopfetchError } from '../../errors.ts'
import type { Account } from '../schema.ts'

/** Throws ERR_CONFIG for an account that cannot be polled. */
export function requireSound(account: Pick<Account, 'name' | 'fault'>): void {
  if (account.fault !== null) throw faultError(account)
}

export function faultError({ name, fault }: Pick<Account, 'name' | 'fault'>): PopfetchError {
  return new PopfetchError('ERR_CONFIG', `polling ${name}: ${fault ?? ''}`, { scope: 'account', retry: 'never' })
}
