// A client that proves by a certificate who it is: the real authorization server checks the proof; Microsoft's form is checked here.
import { createHash, createPublicKey, generateKeyPairSync, verify, constants, X509Certificate } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { PopfetchError } from '../../src/errors.ts'
import { certificateAuth } from '../../src/oauth/certificate.ts'
import type { Client } from '../../src/oauth/oauth.ts'
import { AuthorizationServer } from '../support/authorization-server.ts'
import { type CertificateKind, certificates } from '../support/certificates.ts'
import { clientOf, DAY_MS, request, Scene } from './scene.ts'

const byCertificate = (issuer: string, kind: CertificateKind, changes: Partial<Client> = {}): Client => {
  const { certificate, key } = certificates[kind]
  return clientOf(issuer, {
    flow: 'client-credentials',
    certificate: () => Promise.resolve({ certificate, key }),
    scopes: ['mail'],
    ...changes,
  })
}

const failure = (promise: Promise<unknown>): Promise<PopfetchError> =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: PopfetchError) => error,
  )

describe('a certificate in place of a secret', () => {
  test.each(['client', 'rsa'] as const)('is taken by a provider that has it (%s)', async (kind) => {
    const { certificate } = certificates[kind]
    await using server = await AuthorizationServer.start({ certificate })
    await using scene = await Scene.make(byCertificate(server.issuer, kind))
    const { token } = await scene.signIns().tokenFor(request())
    expect(token).toMatch(/^\S{20,}$/)
    scene.aheadMs = DAY_MS
    await expect(scene.signIns().tokenFor(request())).resolves.toBeDefined()
  })

  test('that the provider does not have is refused once, and asked for again when it is another', async () => {
    const { certificate } = certificates.client
    await using server = await AuthorizationServer.start({ certificate })
    await using scene = await Scene.make(byCertificate(server.issuer, 'good'))
    const error = await failure(scene.signIns().tokenFor(request()))
    expect(error).toMatchObject({ code: 'ERR_AUTH', retry: 'never' })
    expect(error.message).toMatch(/refuses the client \(invalid_client/)
    await failure(scene.signIns().tokenFor(request()))
    expect(server.tokenRequests).toBe(1)
    await expect(scene.signIns(byCertificate(server.issuer, 'client')).tokenFor(request())).resolves.toBeDefined()
  })

  test('is not given up where the clock is wrong: the proof has a time in it', async () => {
    const { certificate } = certificates.client
    await using server = await AuthorizationServer.start({ certificate })
    // The provider's clock is an hour ahead of ours.
    const later = (asked: IncomingMessage, response: ServerResponse): void => {
      asked.resume()
      response.writeHead(401, {
        'content-type': 'application/json',
        date: new Date(Date.now() + 3_600_000).toUTCString(),
      })
      response.end(JSON.stringify({ error: 'invalid_client', error_description: 'AADSTS700024: not within its time' }))
    }
    server.faults.push({ path: '/token', answer: later })
    await using scene = await Scene.make(byCertificate(server.issuer, 'client'))
    const error = await failure(scene.signIns().tokenFor(request()))
    expect(error.message).toMatch(/set the clock of this machine.*the clock of this machine is 60 minutes slow/)
    await expect(scene.signIns().tokenFor(request())).resolves.toBeDefined()
  })

  test('signs for Microsoft as its pages say: PS256, the SHA-256 of the certificate, the token endpoint as audience', async () => {
    const { certificate, key } = certificates.rsa
    const audience = 'https://login.microsoftonline.com/example.org/oauth2/v2.0/token'
    const auth = await certificateAuth({ certificate, key }, { audience, rsa: 'PS256' })
    const body = new URLSearchParams()
    await auth(
      { issuer: 'https://login.microsoftonline.com/example.org/v2.0' },
      { client_id: 'abc' },
      body,
      new Headers(),
    )
    const [head = '', claims = '', signature = ''] = (body.get('client_assertion') ?? '').split('.')
    const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString())
    const { raw, publicKey } = new X509Certificate(certificate)
    expect(read(head)).toMatchObject({
      alg: 'PS256',
      'x5t#S256': createHash('sha256').update(raw).digest('base64url'),
    })
    expect(read(claims)).toMatchObject({ aud: audience, iss: 'abc', sub: 'abc' })
    const pss = {
      key: createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })),
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: 32,
    }
    expect(verify('sha256', Buffer.from(`${head}.${claims}`), pss, Buffer.from(signature, 'base64url'))).toBe(true)
    expect(body.get('client_assertion_type')).toBe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
  })

  const { certificate, key } = certificates.client
  const locked = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
  }).privateKey
  test.each([
    ['that is none', { certificate: 'nonsense', key }],
    ['whose key is none', { certificate, key: 'nonsense' }],
    ['with the key of another', { certificate, key: certificates.good.key }],
    ['whose key has a passphrase', { certificate, key: locked }],
    ['that is empty', { certificate: '', key: '' }],
  ])('%s is told, and nothing is asked', async (_what, pair) => {
    const error = await failure(certificateAuth(pair, { audience: null, rsa: 'RS256' }))
    expect(error).toMatchObject({ code: 'ERR_CONFIG', retry: 'never' })
    expect(error.message).toMatch(/^cannot use clientCertificate and clientKey: [ -~]+$/)
  })
})
