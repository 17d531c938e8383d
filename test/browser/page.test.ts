// The page as a person sees it, in Chromium.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { failing, record, UNREACHABLE } from '../status/scene.ts'
import {
  browser,
  complaintsOf,
  crowd,
  hostile,
  ofMachines,
  paused,
  quiet,
  serve,
  troubled,
  type World,
} from './scene.ts'

/** Not kept in the repository: to look at. */
const SCREENSHOTS = join(import.meta.dirname, '../../.bench/screenshots')
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const WIDTHS = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } } as const
const SCHEMES = ['light', 'dark'] as const
const WORLDS: Readonly<Record<string, () => World>> = { quiet, troubled, hostile, paused }

let chromium: Browser
beforeAll(async () => {
  chromium = await browser()
  mkdirSync(SCREENSHOTS, { recursive: true })
})
afterAll(() => chromium.close())

async function opened(
  world: World,
  { width = 'desktop', scheme = 'light' }: { width?: keyof typeof WIDTHS; scheme?: (typeof SCHEMES)[number] },
  act: (page: Page, complaints: readonly string[], url: string) => Promise<void>,
): Promise<void> {
  await using server = await serve(world)
  const context = await chromium.newContext({ viewport: WIDTHS[width], colorScheme: scheme })
  try {
    const page = await context.newPage()
    const complaints = complaintsOf(page)
    const url = `http://127.0.0.1:${server.port}/`
    await page.goto(url)
    await act(page, complaints, url)
  } finally {
    await context.close()
  }
}

/** What axe-core finds wrong, in the rules of WCAG 2.2 A and AA and its best practices. */
async function violations(page: Page): Promise<readonly string[]> {
  // The page allows no script but its own: this one is run by the debugger.
  await page.evaluate(AXE)
  const run = `axe.run().then(({ violations }) =>
    violations.map(({ id, nodes: [first] }) => id + ': ' + first.html + ': ' + first.failureSummary))`
  return await page.evaluate<readonly string[]>(run)
}

const cases = Object.keys(WORLDS).flatMap((name) =>
  (['phone', 'desktop'] as const).flatMap((width) => SCHEMES.map((scheme) => [name, width, scheme] as const)),
)

describe.each(cases)('the %s page on a %s, %s', (name, width, scheme) => {
  test('has no violation that axe-core knows, fits the screen, and complains of nothing', async () => {
    const world = WORLDS[name] ?? quiet
    await opened(world(), { width, scheme }, async (page, complaints) => {
      await page.screenshot({ path: join(SCREENSHOTS, `${name}-${width}-${scheme}.png`), fullPage: true })
      expect(await violations(page)).toEqual([])
      const overflow = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'))
      expect(overflow).toBeLessThanOrEqual(0)
      expect(complaints).toEqual([])
    })
  })
})

describe.each((['phone', 'desktop'] as const).flatMap((width) => SCHEMES.map((scheme) => [width, scheme] as const)))(
  'the page of two machines on a %s, %s',
  (width, scheme) => {
    test('names both, with their accounts and when each was seen, and has no violation that axe-core knows', async () => {
      const server = await ofMachines()
      const context = await chromium.newContext({ viewport: WIDTHS[width], colorScheme: scheme })
      try {
        const page = await context.newPage()
        const complaints = complaintsOf(page)
        await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
        await page.screenshot({ path: join(SCREENSHOTS, `machines-${width}-${scheme}.png`), fullPage: true })
        const rows = await page.locator('#machines tbody tr').allInnerTexts()
        expect(rows.map((row) => row.replace(/\s+/g, ' '))).toEqual([
          expect.stringMatching(/^nas .*12 days ago .*ago 5 1\.2\.3$/),
          expect.stringMatching(/^vps-frankfurt-2 .*3 h ago .*4 min ago 3 1\.2\.3$/),
        ])
        expect(await violations(page)).toEqual([])
        const overflow = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'))
        expect(overflow).toBeLessThanOrEqual(0)
        expect(complaints).toEqual([])
      } finally {
        await context.close()
        server.closeAllConnections()
        server.close()
      }
    })
  },
)

test('what a person paused is shown as such, needs nobody, and says how it goes on', async () => {
  await opened(paused(), {}, async (page) => {
    expect(await page.locator('h1').innerText()).toBe('All is well, 3 paused')
    const cells = async (table: string): Promise<readonly string[]> =>
      (await page.locator(`#${table} tbody tr`).allInnerTexts()).map((row) => row.replace(/\s+/g, ' '))
    const accounts = await cells('accounts')
    expect(accounts.find((row) => row.startsWith('home'))).toMatch(/paused.*when resumed/)
    expect(accounts.find((row) => row.startsWith('old-isp'))).toMatch(/paused.*in 3 h/)
    expect(accounts.find((row) => row.startsWith('shop'))).toMatch(/paused.*when resumed.*12/)
    expect(await cells('destinations')).toEqual([
      expect.stringMatching(/^forward when resumed 2 days ago paused by ada@nas$/),
    ])
    const commands = await page.locator('.next code').allInnerTexts()
    expect(commands.toSorted()).toEqual(['popfetch resume forward', 'popfetch resume home', 'popfetch resume old-isp'])
  })
})

test('markup and text that reads backwards stay text', async () => {
  await opened(hostile(), {}, async (page) => {
    expect(await page.evaluate('window.broken')).toBeUndefined()
    expect(await page.locator('img, iframe, object').count()).toBe(0)
    expect(await page.locator('script').count()).toBe(1)
    const text = await page.locator('body').innerText()
    expect(text).toContain('<script>window.broken = 1</script>')
    expect(text).toContain('\\u{202e}gnp.exe\\x00\\u{200b}')
    // oxlint-disable-next-line no-control-regex -- the very characters that must not be there
    expect(text).not.toMatch(/[\u0000\u200b\u202a-\u202e\u2066-\u2069]/)
  })
})

test('nothing but its own style and script has an effect, and nothing is fetched from elsewhere', async () => {
  await opened(troubled(), {}, async (page, complaints, url) => {
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    await page.reload()
    expect(asked.filter((one) => !one.startsWith(url) && !one.startsWith('data:'))).toEqual([])
    await page.evaluate(`
      const script = document.createElement('script')
      script.textContent = 'window.injected = 1'
      document.body.append(script)
      document.body.setAttribute('style', 'background: red')
      document.body.insertAdjacentHTML('beforeend', '<img src="https://example.org/x.png">')`)
    expect(await page.evaluate('window.injected')).toBeUndefined()
    expect(complaints.length).toBeGreaterThan(0)
    expect(complaints.every((line) => line.includes('Content Security Policy'))).toBe(true)
  })
})

test('says at first glance whether all is well, and follows by itself, without losing the focus or moving', async () => {
  const world = quiet()
  await using server = await serve(world)
  const context = await chromium.newContext({ viewport: WIDTHS.desktop })
  const page = await context.newPage()
  // Time goes when the test says so.
  await page.clock.install()
  await page.goto(`http://127.0.0.1:${server.port}/`)
  expect(await page.locator('h1').innerText()).toBe('All is well')
  expect(await page.title()).toBe('All is well · popfetch')
  await page.locator('#json').focus()
  await page.evaluate(`
    window.shifts = []
    new PerformanceObserver((list) => {
      for (const { value } of list.getEntries()) shifts.push(value)
    }).observe({ type: 'layout-shift' })`)
  const look = async (): Promise<void> => {
    const answered = page.waitForResponse((response) => response.url() === page.url())
    await page.clock.runFor(10_001)
    await answered
  }
  await look()
  // One poll later: the same page with other numbers.
  world.records = world.records.map((each) => ({ ...each, lastPollMs: (each.lastPollMs ?? 0) + 120_000 }))
  await look()
  await page.locator('tbody time', { hasText: '1 min ago' }).first().waitFor()
  expect(await page.evaluate('document.activeElement?.id')).toBe('json')
  expect(await page.evaluate('shifts')).toEqual([])
  world.records = [record('home'), failing('work', UNREACHABLE)]
  await look()
  await page.getByText('1 thing needs attention').first().waitFor()
  expect(await page.title()).toBe('1 thing needs attention · popfetch')
  await server[Symbol.asyncDispose]()
  await page.clock.runFor(10_001)
  await page.locator('#stale').waitFor({ state: 'visible' })
  await context.close()
})

test('can be used by the keyboard alone: what scrolls and what leads somewhere has the focus in turn, and shows it', async () => {
  await opened(troubled(), {}, async (page) => {
    const reached: string[] = []
    for (let at = 0; at < 20; at++) {
      await page.keyboard.press('Tab')
      const focus = '[document.activeElement.id, getComputedStyle(document.activeElement).outlineStyle]'
      const [id = '', outline] = await page.evaluate<readonly string[]>(focus)
      if (id === '') break
      reached.push(id)
      expect(outline).not.toBe('none')
    }
    expect(reached).toEqual(['skip', 'accounts', 'messages', 'destinations', 'json', 'metrics'])
  })
})

describe.each([true, false])('many accounts, with a script: %s', (javaScriptEnabled) => {
  test('are shown page by page, those that need a person first, and found by a part of their names', async () => {
    const world = crowd()
    await using server = await serve(world)
    const context = await chromium.newContext({ viewport: WIDTHS.phone, javaScriptEnabled })
    const page = await context.newPage()
    const complaints = complaintsOf(page)
    const rows = async (): Promise<readonly string[]> => await page.locator('#accounts tbody th').allInnerTexts()
    await page.goto(`http://127.0.0.1:${server.port}/`)
    await page.screenshot({ path: join(SCREENSHOTS, `crowd-phone-${javaScriptEnabled}.png`) })
    expect((await rows()).slice(0, 3)).toEqual(['customer-7', 'customer-1007', 'customer-0'])
    expect(await page.locator('.pages').innerText()).toContain('1 to 100 of 1,030')
    await page.locator('#next').click()
    expect(await page.locator('.pages').innerText()).toContain('101 to 200 of 1,030')
    expect(await rows()).toHaveLength(100)
    await page.locator('#prev').click()
    expect((await rows())[0]).toBe('customer-7')
    await page.getByLabel('Find accounts').fill('MER-100')
    await page.locator('#find').click()
    await page.getByText('11 accounts with').waitFor()
    expect((await rows()).slice(0, 2)).toEqual(['customer-1007', 'customer-100'])
    await page.locator('#all').click()
    expect(await rows()).toHaveLength(100)
    expect(complaints).toEqual([])
    await context.close()
  })
})

test('what is typed into the search stays while the page follows, and so do the search and the page', async () => {
  const world = crowd()
  await using server = await serve(world)
  const context = await chromium.newContext({ viewport: WIDTHS.desktop })
  const page = await context.newPage()
  await page.clock.install()
  await page.goto(`http://127.0.0.1:${server.port}/?q=customer&page=2`)
  await page.screenshot({ path: join(SCREENSHOTS, 'crowd-desktop-light.png') })
  expect(await violations(page)).toEqual([])
  const look = async (): Promise<void> => {
    const answered = page.waitForResponse((response) => response.url() === page.url())
    await page.clock.runFor(10_001)
    await answered
  }
  await look()
  await page.getByLabel('Find accounts').fill('customer-99')
  world.records = world.records.map((each) => ({ ...each, lastPollMs: (each.lastPollMs ?? 0) + 120_000 }))
  await look()
  await look()
  expect(await page.getByLabel('Find accounts').inputValue()).toBe('customer-99')
  await page.getByLabel('Find accounts').fill('customer')
  await look()
  await page.locator('tbody time', { hasText: '1 min ago' }).first().waitFor()
  expect(await page.locator('.pages').innerText()).toContain('101 to 200 of 1,030')
  await context.close()
})

describe('from another machine', () => {
  test('the token is asked for by a form, and a strict cookie remembers it', async () => {
    await using server = await serve(troubled(), { token: 'correct horse' }, { kind: 'port', host: '0.0.0.0', port: 0 })
    const context = await chromium.newContext({ viewport: WIDTHS.phone })
    const page = await context.newPage()
    await page.goto(`http://127.0.0.1:${server.port}/`)
    expect(await page.locator('table').count()).toBe(0)
    await page.screenshot({ path: join(SCREENSHOTS, 'sign-in-phone-light.png') })
    expect(await violations(page)).toEqual([])
    await page.getByLabel('Token').fill('battery staple')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').waitFor()
    await page.goto(`http://127.0.0.1:${server.port}/`)
    await page.getByLabel('Token').fill('correct horse')
    await page.keyboard.press('Enter')
    await page.locator('h1', { hasText: 'attention' }).waitFor()
    const [cookie] = await context.cookies()
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict' })
    expect(cookie?.value).not.toContain('horse')
    await page.reload()
    expect(await page.locator('h1').innerText()).toContain('attention')
    await context.close()
  })
})
