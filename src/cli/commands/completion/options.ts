// What `popfetch completion` may be told: a shell.
import type { Command } from '../../command.ts'
import type { CommonOptions } from '../../common-options.ts'
import { oneOf } from '../../option.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const

type Names = 'accounts' | 'destinations'

interface CompletionRequest {
  /** `accounts`, `destinations`: their names, which the scripts of the shells ask for. Null: the shell of the user. */
  readonly shell: (typeof SHELLS)[number] | Names | null
}

export type CompletionInvocation = CommonOptions & CompletionRequest

export const command: Command<CompletionRequest> = {
  usage: '[shell]',
  describe: `Print a shell completion script: ${SHELLS.join(', ')}`,
  options: [],
  examples: [
    ['source <(popfetch completion bash)', 'Load it, in ~/.bashrc'],
    ['popfetch completion fish > ~/.config/fish/completions/popfetch.fish', 'Install it'],
  ],
  exits: [0, 64],
  notes: '',
  completes: { words: SHELLS, accounts: false },
  request({ words: [shell = null] }) {
    const isKnown = shell === null || shell === 'accounts' || shell === 'destinations'
    return { shell: isKnown ? shell : oneOf(SHELLS, 'the shell', shell) }
  },
}
