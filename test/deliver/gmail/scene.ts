// What the tests of the gmail destination share.
import { onTestFinished } from 'vitest'
import type { Destination } from '../../../src/deliver/destination.ts'
import { openGmail, type GmailConfig } from '../../../src/deliver/gmail/gmail.ts'
import { GMAIL_LIMITS, type GmailLimits } from '../../../src/deliver/gmail/settings.ts'
import { DeliveryError } from '../../../src/errors.ts'
import { GmailServer } from '../../support/gmail-server.ts'
import { NOW_MS } from '../scene.ts'

export async function gmail(): Promise<GmailServer> {
  const server = await GmailServer.start()
  onTestFinished(() => server[Symbol.asyncDispose]())
  return server
}

export function opened(
  server: Pick<GmailServer, 'endpoint' | 'user'>,
  more: Partial<GmailConfig> = {},
  limits: Partial<GmailLimits> = {},
  prefix = '',
  env: NodeJS.ProcessEnv = {},
): Destination {
  const config: GmailConfig = {
    user: server.user,
    secret: () => Promise.resolve('good'),
    labels: ['INBOX', 'UNREAD'],
    date: 'header',
    spam: 'classify',
    wrap: 'never',
    concurrency: 4,
    endpoint: server.endpoint,
    description: `gmail ${server.user}`,
    ...more,
  }
  const context = { hostName: 'host.example', nowMs: () => NOW_MS, env, prefix: () => prefix }
  const destination = openGmail(config, context, { ...GMAIL_LIMITS, pauseMs: 1, ...limits })
  onTestFinished(() => destination[Symbol.asyncDispose]())
  return destination
}

/** `CONCLUSION verdict scope exit`. */
export async function outcome(work: Promise<unknown>): Promise<string> {
  const error = await failureOf(work)
  return `${error.conclusion} ${error.verdict} ${error.scope} ${error.exit}`
}

export async function failureOf(work: Promise<unknown>): Promise<DeliveryError> {
  try {
    await work
  } catch (error) {
    if (error instanceof DeliveryError) return error
    throw error
  }
  throw new Error('it succeeded')
}
