// What a provider of tokens may answer, and what may be in the file of a sign-in: any bytes at all.
import { Refused } from '../../src/oauth/answers.ts'
import { Http } from '../../src/oauth/http.ts'
import { signInByDevice } from '../../src/oauth/flows/device.ts'
import { Provider } from '../../src/oauth/provider.ts'
import { isNewer, parseRecord } from '../../src/oauth/record.ts'
import { PopfetchError } from '../../src/errors.ts'
import { clientOf } from '../oauth/scene.ts'
import { asBytes, safe, type Target } from './target.ts'

const ISSUER = 'https://id.example.org'
const SEEDS = [
  '{"access_token":"a","refresh_token":"r","token_type":"Bearer","expires_in":3600,"scope":"mail","id_token":"e30.eyJlbWFpbCI6ImEifQ.x"}',
  '{"error":"invalid_grant","error_description":"AADSTS700082: The refresh token has expired.\\r\\nTrace ID: 1"}',
  '{"device_code":"d","user_code":"u","verification_uri":"https://id.example.org/device","expires_in":600,"interval":5}',
  `{"issuer":"${ISSUER}","token_endpoint":"${ISSUER}/t","authorization_endpoint":"${ISSUER}/a","scopes_supported":["offline_access"]}`,
  '[]',
  '',
].map(asBytes)

/** Answers everything with these bytes. */
class Fixed extends Http {
  readonly #body: Buffer
  readonly #status: number

  constructor(body: Buffer, status: number) {
    super({ env: {}, nowMs: () => 0 })
    this.#body = body
    this.#status = status
  }

  override fetch(): Promise<Response> {
    const headers = { 'content-type': 'application/json' }
    return Promise.resolve(new Response(this.#body.toString('utf8'), { status: this.#status, headers }))
  }
}

const endpoints = { authorization: `${ISSUER}/a`, token: `${ISSUER}/t`, device: `${ISSUER}/d`, revocation: null }

export const providerTargets: readonly Target[] = [
  {
    name: 'answers of a provider',
    seeds: SEEDS,
    async run(input, random) {
      const http = new Fixed(input, random.of([200, 200, 400, 401]))
      const known = await Provider.open(clientOf('', { issuer: null, endpoints }), http, null)
      const person = { show: safe, openBrowser: null, paste: null, signal: new AbortController().signal }
      const pause = (): Promise<void> => Promise.resolve()
      const works = [
        () => known.refresh('r'),
        () => known.clientCredentials(),
        () => signInByDevice({ provider: known, user: 'a', person, pause }),
        () => Provider.open(clientOf(ISSUER), http, null),
      ]
      for (const work of works) {
        try {
          await work()
        } catch (error) {
          if (error instanceof Refused)
            safe(known.refusal(error.refusal, 'renewing', random.of(['signing-in', 'renewing', 'interrupted'])).message)
          else if (error instanceof PopfetchError) safe(error.message)
          else throw error
        }
      }
    },
  },
  {
    name: 'the file of a sign-in',
    seeds: [
      ...SEEDS,
      asBytes(
        '{"version":1,"client":"c","user":"u","identity":"i","id":"x","sinceMs":1,"refreshToken":"r","accessToken":"a","obtainedMs":1,"expiresMs":2,"scopes":["m"],"person":null,"endsMs":null,"renewingMs":null,"ended":null,"told":[]}',
      ),
    ],
    run(input) {
      parseRecord(input.toString('utf8'))
      isNewer(input.toString('utf8'))
    },
  },
]
