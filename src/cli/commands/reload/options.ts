// What `popfetch reload` may be told.
import type { Command } from '../../command.ts'
import type { CommonOptions } from '../../common-options.ts'
import { flag } from '../../option.ts'

const RELOAD = { yes: flag('Go on although delete was changed so that very much would be removed') } as const

export interface ReloadRequest {
  readonly yes: boolean
}

export type ReloadInvocation = CommonOptions & ReloadRequest

export const command: Command<ReloadRequest> = {
  usage: '',
  describe: 'Let the background process read its configuration again',
  options: [{ heading: 'Reloading:', options: RELOAD }],
  examples: [],
  notes: '',
  completes: { words: [], accounts: false },
  request: (given) => given.options(RELOAD),
}
