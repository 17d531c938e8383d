// The template escapes: a table of what strangers write.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { html } from '../../../src/daemon/http/page/html.ts'

test.each([
  ['<b>', '&lt;b&gt;'],
  ['a & b', 'a &amp; b'],
  ['&lt;', '&amp;lt;'],
  [`" onclick='x' \``, '&quot; onclick=&#39;x&#39; &#96;'],
  ['</script>', '&lt;/script&gt;'],
  ['plain', 'plain'],
  [7, '7'],
  [null, ''],
])('%j is %j', (value, text) => {
  expect(html`<i title="${value}">${value}</i>`.text).toBe(`<i title="${text}">${text}</i>`)
})

test('what the template made is markup, lists are one after the other', () => {
  const names = ['a', '<', 'c'].map((name) => html`<b>${name}</b>`)
  expect(html`<i>${names}</i>`.text).toBe('<i><b>a</b><b>&lt;</b><b>c</b></i>')
  expect(html`<i>${[html`<b>x</b>`, ' & ', [null, 'y']]}</i>`.text).toBe('<i><b>x</b> &amp; y</i>')
})

test('no text whatever ends its tag or its attribute', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const [, attribute = '<', inner = '<'] =
        /^<i title="([^"]*)">(.*)<\/i>$/s.exec(html`<i title="${text}">${text}</i>`.text) ?? []
      expect(attribute + inner).not.toMatch(/[<>"'`]/)
    }),
  )
})
