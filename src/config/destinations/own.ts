// A destination of a program that embeds popfetch. No file can name one: it is a kind without keys, made by deliver/own/.
import { filledAddress } from '../../deliver/placeholders.ts'
import type { DefinedDestination } from '../../deliver/own/definition.ts'
import { type Kind, plain } from './kind.ts'

export interface OwnKeys {
  readonly type: 'own'
  readonly defined: DefinedDestination
  readonly concurrency: number
}

export const own: Kind<OwnKeys> = {
  ...plain,
  usualName: 'own',
  canonicalUrl: ({ defined }) => `own ${defined.description}`,
  show: ({ defined }) => ({ type: 'own', description: defined.description }),
  accountTexts: ({ defined }) => defined.recipients,
  recipients: ({ defined }) => (defined.recipients.length === 0 ? null : defined.recipients),
  settings: ({ name, defined }, opening) => ({
    type: 'own',
    trace: false,
    label: false,
    name,
    defined,
    timeoutMs: defined.timeoutMs,
    recipients: defined.recipients.map((recipient) => filledAddress(recipient, opening)),
  }),
}
