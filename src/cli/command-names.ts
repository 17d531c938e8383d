// The names of the commands, for those who must not load what checks them.

export type Words = Readonly<Record<string, unknown>>

export type Command =
  | 'poll'
  | 'check'
  | 'migrate'
  | 'import'
  | 'init'
  | 'status'
  | 'state'
  | 'stop'
  | 'reload'
  | 'wake'
  | 'completion'
  | 'config'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
