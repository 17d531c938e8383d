// An account that is wrong by itself, while the others of its configuration are polled.
import { PopfetchError } from '../../errors.ts'
import type { Account } from '../schema.ts'
import { ASKED } from '../values/written.ts'

/** Throws ERR_CONFIG for an account that cannot be polled. */
export function requireSound(account: Pick<Account, 'name' | 'fault'>): void {
  if (account.fault !== null) throw faultError(account)
}

/** Does this error of an account say that it is wrong by itself, as faultError does, and did a program print it? Null: it says another thing. */
export function faultSource({
  code,
  message,
}: {
  readonly code: string
  readonly message: string
}): 'program' | 'file' | null {
  if (code !== 'ERR_CONFIG' || !message.startsWith('polling ')) return null
  return message.includes(`: ${ASKED}:`) ? 'program' : 'file'
}

export function faultError({ name, fault }: Pick<Account, 'name' | 'fault'>): PopfetchError {
  return new PopfetchError('ERR_CONFIG', `polling ${name}: ${fault ?? ''}`, { scope: 'account', retry: 'never' })
}
