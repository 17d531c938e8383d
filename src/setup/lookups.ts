// How discover.ts asks the network: DNS, and pages of the domain itself. Of the address only the domain is sent.
import { Resolver } from 'node:dns/promises'
import { errnoOf } from '../errors.ts'
import type { Lookups } from './discover.ts'

/** A person waits for it. */
const LIMIT_MS = 3000
/** Such a page has a few kilobytes. */
const PAGE_LIMIT_BYTES = 65_536
/** From the bare domain to its www, and on to the place of the page. */
const REDIRECTIONS = 3

/** With these errors DNS says that there is no such record. */
const NO_RECORD: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA'])

export function networkLookups(signal: AbortSignal): Lookups {
  return {
    srv: (name) => records(signal, (resolver) => resolver.resolveSrv(name)),
    async mx(domain) {
      const found = await records(signal, (resolver) => resolver.resolveMx(domain))
      return found?.toSorted((a, b) => a.priority - b.priority).map(({ exchange }) => exchange) ?? null
    },
    async page(url) {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)])
      try {
        return await pageOf(url, limited)
      } catch {
        signal.throwIfAborted()
        return null
      }
    },
  }
}

/** [] when there is none, null when nobody answers. */
async function records<T>(
  signal: AbortSignal,
  ask: (resolver: Resolver) => Promise<readonly T[]>,
): Promise<readonly T[] | null> {
  signal.throwIfAborted()
  const resolver = new Resolver({ timeout: LIMIT_MS / 2, tries: 2 })
  const cancel = (): void => resolver.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    return await ask(resolver)
  } catch (error) {
    return NO_RECORD.has(errnoOf(error) ?? '') ? [] : null
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

/** HTTPS all the way: any other redirection is not followed. */
async function pageOf(first: string, signal: AbortSignal): Promise<string | null> {
  let url = new URL(first)
  for (let count = 0; count <= REDIRECTIONS; count++) {
    if (url.protocol !== 'https:') return null
    const response = await fetch(url, { signal, redirect: 'manual', headers: { accept: 'application/xml, text/xml' } })
    const location = response.headers.get('location')
    if (response.ok) return await textOf(response)
    await response.body?.cancel()
    if (response.status < 300 || response.status >= 400 || location === null) return null
    url = new URL(location, url)
  }
  return null
}

async function textOf(response: Response): Promise<string | null> {
  if (response.body === null) return null
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of response.body) {
    sizeBytes += chunk.byteLength
    if (sizeBytes > PAGE_LIMIT_BYTES) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
