// The trial of an imap destination: a session of its own signs in, finds its folder or makes it, and logs out.
import { display } from '../../display.ts'
import { PROBE_MS, type Probed } from '../destination.ts'
import { lowered } from '../network/limits.ts'
import { ImapFailure } from './fault.ts'
import { openFolder } from './folder.ts'
import { ImapSession } from './session.ts'
import type { ImapConfig, ImapLimits } from './settings.ts'

/** Rejects with ImapFailure. */
export async function probeImap(config: ImapConfig, limits: ImapLimits, signal: AbortSignal): Promise<Probed> {
  const limitMs = config.timeoutMs ?? PROBE_MS
  const late = AbortSignal.timeout(limitMs)
  try {
    return await tried(config, lowered(limits, limitMs), AbortSignal.any([signal, late]))
  } catch (error) {
    if (!late.aborted || signal.aborted || !(error instanceof ImapFailure)) throw error
    throw new ImapFailure(error.step, { kind: 'silence', text: 'too slow' }, { cause: error })
  }
}

async function tried(config: ImapConfig, limits: ImapLimits, signal: AbortSignal): Promise<Probed> {
  const session = await ImapSession.open(config, limits, signal)
  try {
    checkLabels(session, config)
    const { path, flags, limit } = await openFolder(session, config, signal)
    const { tls, capabilities } = session.said
    return {
      tls,
      findings: [
        { name: 'signed in as', value: display(config.user) },
        { name: 'capabilities', value: display(capabilities.join(', '), 400) },
        { name: 'folder', value: display(path) },
        ...(config.flags.length === 0 ? [] : [{ name: 'flags', value: display(flags.join(', ')) || 'none are kept' }]),
        {
          name: 'largest message',
          value: limit === null ? 'not announced' : `${limit} bytes`,
        },
      ],
      warnings: [],
    }
  } finally {
    await session.quit()
  }
}

/** Throws where labels are wanted and the server has none. */
export function checkLabels(session: ImapSession, { labels }: ImapConfig): void {
  if (labels.length === 0 || session.offers('X-GM-EXT-1')) return
  throw new ImapFailure('folder', {
    kind: 'unfit',
    text: 'the server has no labels (X-GM-EXT-1): leave labels out',
  })
}
