// The script of the page, which keeps it fresh. It asks for the same page every ten seconds, and shows it where something changed, at
// least each minute: that costs what is on the page, however many accounts there are. Without it the page is renewed each minute (see
// page.ts). What a person does meanwhile is left alone: the focus and the place stay, and while text is marked, or typed, nothing is
// replaced.

export const SCRIPT = `
const stale = document.getElementById('stale')
let at = Date.now()
const told = (page) => [...page.querySelectorAll('main > :not(footer)')].map(({ outerHTML }) =>
  outerHTML.replace(/\\.\\d{3}Z|>[^<]*<\\/time>/g, '')).join()
async function look() {
  try {
    const answer = await fetch(location.href)
    if (answer.status === 401) return location.reload()
    if (!answer.ok) throw new Error(answer.status)
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    const search = document.getElementById('search')
    const isBusy = getSelection().type === 'Range' || (search && search.value !== search.defaultValue)
    if (!isBusy && (told(page) !== told(document) || Date.now() - at > 60000)) {
      const focused = document.activeElement && document.activeElement.id
      document.title = page.title
      document.querySelector('link[rel=icon]').href = page.querySelector('link[rel=icon]').href
      document.querySelector('main').replaceWith(page.querySelector('main'))
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true })
      at = Date.now()
    }
    stale.hidden = true
  } catch {
    stale.hidden = false
  }
  setTimeout(look, 10000)
}
look()
`
