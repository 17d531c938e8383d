// The names of the commands, for those who must not load what checks them.

export type Words = Readonly<Record<string, unknown>>

/** But for polling, which is no word. */
export const COMMAND_WORDS = [
  'check',
  'migrate',
  'import',
  'init',
  'status',
  'state',
  'stop',
  'reload',
  'wake',
  'config',
  'completion',
] as const

export type Command = 'poll' | (typeof COMMAND_WORDS)[number]

export const SHELLS = ['bash', 'zsh', 'fish'] as const
