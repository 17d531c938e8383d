// The looks of the page: light and dark, from a phone to a wide screen, nothing from elsewhere. Text has a contrast of at least
// 4.5 to what is behind it, in both schemes; colour never says anything alone. Numbers have one width, so that nothing moves
// when they change.

/** How something stands: a class of the style. */
export type Tone = 'good' | 'doubtful' | 'bad'

export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f5f6f8; --card: #fff; --edge: #d9dde3; --text: #1c2127; --soft: #57606a; --faint: #eef0f3;
  --bad: #a40e26; --bad-ground: #ffebe9; --bad-edge: #cf222e;
  --doubt: #7a4b00; --doubt-ground: #fff4d6; --doubt-edge: #bf8700;
  --good: #116329; --good-ground: #dff6e4; --good-edge: #1a7f37;
  --bar: #3b82c4; --link: #0a5bb5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0e1116; --card: #171b21; --edge: #2d333b; --text: #e4e9ef; --soft: #9aa4af; --faint: #1f242b;
    --bad: #ff9d96; --bad-ground: #35171a; --bad-edge: #f0524a;
    --doubt: #e9b949; --doubt-ground: #2c2310; --doubt-edge: #c69026;
    --good: #63d17b; --good-ground: #12281a; --good-edge: #3fb950;
    --bar: #4f9ae0; --link: #6cb2ff;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
.page { max-width: 76rem; margin: 0 auto; padding: 1.25rem 1rem 2.5rem; }
.top { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; color: var(--soft); font-size: .87rem; }
.top strong { color: var(--text); font-size: 1rem; letter-spacing: .01em; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; font-weight: 650; }
main > h1 { margin-top: 2rem; }
h2 { font-size: 1rem; margin: 2rem 0 .6rem; font-weight: 650; }
h2 small { color: var(--soft); font-weight: 400; font-size: .87rem; margin-left: .35rem; }
.glance {
  display: flex; gap: .95rem; align-items: center; margin: .9rem 0 0; padding: 1.05rem 1.2rem;
  background: var(--card); border: 1px solid var(--edge); border-left: 6px solid var(--good-edge); border-radius: 10px;
}
.glance.bad { border-left-color: var(--bad-edge); }
.glance.doubtful { border-left-color: var(--doubt-edge); }
.glance p { margin: .2rem 0 0; color: var(--soft); }
.glance svg { flex: none; width: 2.6rem; height: 2.6rem; }
.sign-good { color: var(--good-edge); } .sign-bad { color: var(--bad-edge); } .sign-doubtful { color: var(--doubt-edge); }
.list { list-style: none; margin: 0; padding: 0; display: grid; gap: .55rem; }
.need {
  background: var(--card); border: 1px solid var(--edge); border-left: 4px solid var(--doubt-edge); border-radius: 8px;
  padding: .7rem .95rem; display: grid; grid-template-columns: minmax(0, 1fr) fit-content(40%); gap: .3rem 1.5rem; align-items: center;
}
.need.bad { border-left-color: var(--bad-edge); }
.need.good { border-left-color: var(--good-edge); }
.need:not(:has(> .next)) { grid-template-columns: 1fr; }
.need h3 { margin: 0; font-size: .95rem; font-weight: 650; display: flex; flex-wrap: wrap; gap: .15rem .6rem; align-items: baseline; }
.need p { margin: 0; }
.since { color: var(--soft); font-size: .87rem; font-weight: 400; }
code {
  font: .87rem/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  background: var(--faint); border: 1px solid var(--edge); border-radius: 5px; padding: .12rem .42rem; user-select: all;
  -webkit-box-decoration-break: clone; box-decoration-break: clone;
}
.next code span { white-space: nowrap; }
.next { color: var(--soft); font-size: .87rem; }
.need > div { min-width: 0; } .need .next { justify-self: end; }
.tag {
  display: inline-block; padding: 0 .5rem; border-radius: 999px; font-size: .8rem; line-height: 1.55; font-weight: 600;
  background: var(--faint); color: var(--soft); white-space: nowrap;
}
.tag.good { background: var(--good-ground); color: var(--good); }
.tag.bad { background: var(--bad-ground); color: var(--bad); }
.tag.doubtful { background: var(--doubt-ground); color: var(--doubt); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--edge); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .5rem .8rem; border-top: 1px solid var(--edge); vertical-align: middle; }
thead th { border-top: 0; color: var(--soft); font-weight: 500; font-size: .8rem; white-space: nowrap; }
tbody th { font-weight: 600; min-width: 7rem; max-width: 20rem; }
.number { text-align: right; }
.none { color: var(--soft); }
.quiet { color: var(--soft); }
time { white-space: nowrap; }
.graph { display: block; width: 150px; height: 26px; }
.polls { display: block; width: 87px; height: 6px; margin-top: .35rem; }
.polls .good { fill: var(--good-edge); } .polls .doubtful { fill: var(--doubt-edge); } .polls .bad { fill: var(--bad-edge); }
.polls .base { fill: var(--edge); }
.graph .bar { fill: var(--bar); } .graph .fail { fill: var(--bad-edge); } .graph .base { stroke: var(--edge); }
footer { margin-top: 2rem; color: var(--soft); font-size: .87rem; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; }
a { color: var(--link); }
a:focus-visible, input:focus-visible, button:focus-visible, .scroll:focus-visible {
  outline: 3px solid var(--link); outline-offset: 2px; border-radius: 4px;
}
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--card); padding: .4rem .8rem; z-index: 2; }
#stale {
  position: fixed; left: 50%; bottom: 1rem; transform: translateX(-50%); margin: 0; padding: .5rem 1rem; border-radius: 8px;
  background: var(--bad-ground); color: var(--bad); border: 1px solid var(--bad-edge); max-width: calc(100vw - 2rem);
}
#stale[hidden] { display: none; }
form { display: grid; gap: .8rem; max-width: 24rem; margin: 1.2rem 0; }
label { display: grid; gap: .3rem; font-weight: 600; }
input, button { font: inherit; padding: .5rem .7rem; border-radius: 7px; border: 1px solid var(--soft); background: var(--card); color: var(--text); }
button { background: var(--link); border-color: var(--link); color: var(--card); font-weight: 600; cursor: pointer; }
.search { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem .6rem; max-width: none; margin: .2rem 0 .7rem; }
.search label { font-weight: 400; color: var(--soft); font-size: .87rem; }
.search input { flex: 0 1 18rem; min-width: 8rem; padding: .3rem .6rem; }
.search button { padding: .3rem .9rem; }
.search span { color: var(--soft); font-size: .87rem; }
.pages { display: flex; justify-content: center; gap: 1.2rem; margin: .8rem 0 0; color: var(--soft); font-size: .9rem; }
@media (max-width: 46rem) {
  .page { padding: 1rem .75rem 2rem; }
  h1 { font-size: 1.3rem; }
  .glance { padding: .9rem; }
  .scroll { background: none; border: 0; overflow: visible; }
  table, tbody { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .need { grid-template-columns: 1fr; }
  .need .next { justify-self: start; }
  tbody tr {
    display: grid; grid-template-columns: 1fr 1fr 1fr; gap: .15rem .8rem; margin-bottom: .55rem; padding: .7rem .9rem;
    background: var(--card); border: 1px solid var(--edge); border-radius: 8px;
  }
  tbody th, tbody td { display: block; border: 0; padding: 0; min-width: 0; max-width: none; }
  tbody th { grid-column: 1 / 3; }
  tbody th:has(+ td[data-label]) { grid-column: 1 / -1; }
  tbody th + td:not([data-label]) { justify-self: end; text-align: right; }
  .polls { margin-left: auto; }
  tbody td[data-label] { text-align: left; margin-top: .15rem; }
  tbody td[data-label]::before { content: attr(data-label); display: block; color: var(--soft); font-size: .8rem; }
  tbody td.wide { grid-column: 1 / -1; text-align: left; }
  tbody td.zero { display: none; }
  .graph { width: 100%; height: 34px; margin: .25rem 0; }
}
`
