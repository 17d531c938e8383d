// Both flows against a real authorization server, from the first line that a person sees to the token that a mail server gets.
import { expect, test } from 'vitest'
import { AuthorizationServer, Visitor } from '../support/authorization-server.ts'
import { clientOf, request, Scene, USER } from './scene.ts'

test.each(['device', 'browser'] as const)(
  'a person signs in by %s, and a token is there without another request',
  async (flow) => {
    await using server = await AuthorizationServer.start()
    await using scene = await Scene.make(clientOf(server.issuer))
    const granted = await scene.signIn(flow)
    expect(granted.person).toBe(USER)
    expect(granted.refreshToken).not.toBeNull()
    const before = server.journal.length
    const { token } = await scene.signIns().tokenFor(request())
    expect(token).toBe(granted.accessToken)
    expect(server.journal).toHaveLength(before)
    expect(Visitor).toBeDefined()
  },
)
