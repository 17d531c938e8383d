// The keys of a Maildir: defaults, forms, what is refused.
import { describe, expect, test } from 'vitest'
import { Scene } from '../scene.ts'

describe('a maildir', () => {
  test('has every key filled in when only the path is written', async () => {
    await using scene = await Scene.create()
    expect(await scene.destination('type: maildir, path: Mail')).toEqual({
      name: 'd',
      type: 'maildir',
      path: scene.path('Mail'),
      create: true,
      lineEndings: 'lf',
      mode: 0o600,
      date: 'received',
      shared: false,
      trace: true,
      label: false,
    })
  })

  test.each([
    ['path: ~/Mail', { path: 'home/Mail' }],
    ['path: "m/{account}"', { path: 'm/{account}' }],
    ['create: false', { create: false }],
    ['shared: true', { shared: true }],
    ['lineEndings: crlf', { lineEndings: 'crlf' }],
    ['mode: 0640', { mode: 0o640 }],
    ['mode: 0o640', { mode: 0o640 }],
    ['mode: "0660"', { mode: 0o660 }],
    ['date: now', { date: 'now' }],
    ['trace: false, label: true', { trace: false, label: true }],
  ])('takes %s', async (keys, expected) => {
    await using scene = await Scene.create()
    const written = keys.includes('path:') ? keys : `path: m, ${keys}`
    const config = await scene.destination(`type: maildir, ${written}`)
    expect({ ...config, path: 'path' in config ? config.path.replace(`${scene.directory}/`, '') : '' }).toMatchObject(
      expected,
    )
  })

  test.each([
    'mode: 640',
    'mode: 0777',
    'mode: 0666',
    'mode: 0400',
    'mode: 04600',
    'create: yes',
    'path: "{acount}"',
    'host: h',
  ])('with %s is refused', async (keys) => {
    await using scene = await Scene.create()
    const written = keys.includes('path:') ? keys : `path: m, ${keys}`
    await expect(scene.destination(`type: maildir, ${written}`)).rejects.toThrow(/: 1 problem;/)
  })
})
