// What `popfetch reload` may be told.
import type { Command } from '../../command.ts'
import type { CommonOptions } from '../../common-options.ts'
import { flag } from '../../option.ts'

const RELOAD = { yes: flag('Proceed even if a changed delete would remove unusually many messages') } as const

export interface ReloadRequest {
  readonly yes: boolean
}

export type ReloadInvocation = CommonOptions & ReloadRequest

export const command: Command<ReloadRequest> = {
  usage: '',
  describe: 'Tell the daemon to reload its configuration',
  options: [{ heading: 'Options for reload:', options: RELOAD }],
  examples: [
    ['popfetch reload', 'Reload; an invalid file changes nothing'],
    ['popfetch reload --yes', 'Reload after delete was changed for many accounts'],
  ],
  exits: [0, 64, 69, 78],
  notes: '',
  completes: { words: [], accounts: false },
  request: (given) => given.options(RELOAD),
}
