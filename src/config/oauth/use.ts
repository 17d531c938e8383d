// What a token of a sign-in is for.
import type { Use } from '../../oauth/oauth.ts'

/** For what a kind of destination wants its token. */
export function useOf(type: string): Use {
  return type === 'imap' || type === 'gmail' ? type : 'smtp'
}
