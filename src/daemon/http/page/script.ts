// The script of the page, which keeps it fresh. It asks for /status.json every ten seconds, and fetches the page again where
// something changed, at least each minute. Without it the page is renewed each minute (see page.ts).
// What a person does meanwhile is left alone: the focus and the place stay, and while text is marked nothing is replaced.

export const SCRIPT = `
const stale = document.getElementById('stale')
let last = null, at = Date.now()
async function look() {
  try {
    const answer = await fetch('status.json')
    if (answer.status === 401) return location.reload()
    if (!answer.ok) throw new Error(answer.status)
    const text = (await answer.text()).replace(/\\.\\d{3}Z/g, 'Z')
    const isNews = last !== null && text !== last
    if ((isNews || Date.now() - at > 60000) && getSelection().type !== 'Range') {
      const page = new DOMParser().parseFromString(await (await fetch('.')).text(), 'text/html')
      const focused = document.activeElement && document.activeElement.id
      document.title = page.title
      document.querySelector('link[rel=icon]').href = page.querySelector('link[rel=icon]').href
      document.querySelector('main').replaceWith(page.querySelector('main'))
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true })
      at = Date.now()
      last = text
    }
    last ??= text
    stale.hidden = true
  } catch {
    stale.hidden = false
  }
  setTimeout(look, 10000)
}
look()
`
