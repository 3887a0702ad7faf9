// What the console's pages gain by script. Each of them works without it: see
// doc.go. Markup is only ever taken over as parsed by the browser from our own pages
// (XMLHttpRequest with a document as its answer), never made of text.
'use strict'

const $ = (selector, from = document) => from.querySelector(selector)
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)]
const words = () => document.body.dataset
const tell = text => { const live = $('#live'); if (live) live.textContent = text }

const get = (url, tag) => new Promise((done, failed) => {
  const x = new XMLHttpRequest()
  x.open('GET', url)
  if (tag) x.setRequestHeader('If-None-Match', tag)
  x.responseType = 'document'
  x.timeout = 20000
  x.onload = () => done(x)
  x.onerror = x.ontimeout = failed
  x.send()
})

// What a page was called when it was last looked at again: it is answered with 304 while
// nothing has changed.
let seen = { url: '', tag: '' }

// swap takes one part of a fresh page over. Whatever is not as expected (signed out, an
// error, another page) becomes an ordinary visit.
const swap = async (target, url, push) => {
  let x
  try { x = await get(url, !push && seen.url === url ? seen.tag : '') } catch { if (push) location.assign(url); return false }
  if (x.status === 304) return false
  const fresh = x.response && $(target, x.response), old = $(target)
  if (x.status !== 200 || !fresh || !old) { if (push) location.assign(url); return false }
  if (push) history.pushState(null, '', x.responseURL)
  seen = { url: push ? x.responseURL : url, tag: x.getResponseHeader('ETag') || '' }
  const focus = document.activeElement && old.contains(document.activeElement) ? document.activeElement.id : ''
  const opened = push ? [] : $$('details[open] > summary', old).map(s => s.textContent)
  old.replaceWith(document.adoptNode(fresh))
  $$('details', fresh).forEach(d => { if (opened.includes($('summary', d)?.textContent)) d.open = true })
  dress(fresh)
  if (focus && document.getElementById(focus)) document.getElementById(focus).focus()
  return x.response
}

// look asks again, while somebody sees the page, whether anything has changed.
const began = Date.now()
const look = () => {
  const main = $('#main[data-poll]')
  if (!main) return
  const pause = Date.now() - began > 120000 ? Math.max(10000, +main.dataset.poll) : +main.dataset.poll
  setTimeout(async () => {
    const open = $('#main details[open]'), typing = document.activeElement && /INPUT|TEXTAREA|SELECT/.test(document.activeElement.tagName)
    if (!document.hidden && !typing && !(open && open.contains(document.activeElement))) {
      const before = $('#main .badge')?.textContent
      const page = await swap('#main', location.href, false)
      const after = $('#main .badge')?.textContent
      if (page && before !== after) { tell(page.title); document.title = page.title }
    }
    look()
  }, pause)
}

// How long ago something was goes on, while the page stays as it is.
const age = (el, at) => {
  const past = (Date.now() - at) / 1000
  if (past < 5) return
  const [by, unit] = past < 60 ? [1, 'second'] : past < 3600 ? [60, 'minute'] : past < 172800 ? [3600, 'hour'] : [86400, 'day']
  el.textContent = new Intl.RelativeTimeFormat(document.documentElement.lang).format(-Math.floor(past / by), unit)
}
setInterval(() => { if (!document.hidden) $$('time[data-ago]').forEach(el => age(el, new Date(el.getAttribute('datetime')))) }, 10000)

// Times are shown as the reader's clock has them.
const times = from => $$('time[datetime]', from).forEach(el => {
  const at = new Date(el.getAttribute('datetime'))
  if (isNaN(at)) return
  const local = at.toLocaleString(document.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short' })
  if ('ago' in el.dataset) { el.title = local; age(el, at) }
  else { el.title = el.textContent; el.textContent = local }
})

// A form with boxes to tick: all at once, ranges by shift, how many.
const ticks = form => {
  const boxes = $$('input[name=c]', form), all = $('[data-all]', form), count = $('[data-count]', form)
  if (!boxes.length) return
  let last = null
  const sum = () => {
    const n = boxes.filter(b => b.checked).length + (+count?.dataset.elsewhere.replace(/\D/g, '') || 0)
    if (count) count.textContent = n ? n + ' ' + words().chosen : ''
    if (all) { all.checked = boxes.every(b => b.checked); all.indeterminate = !all.checked && boxes.some(b => b.checked) }
    boxes.forEach(b => b.closest('tr')?.classList.toggle('ticked', b.checked))
  }
  boxes.forEach((box, i) => box.addEventListener('click', e => {
    if (e.shiftKey && last !== null) for (let j = Math.min(i, last); j <= Math.max(i, last); j++) boxes[j].checked = box.checked
    last = i
    sum()
  }))
  all?.addEventListener('change', () => { boxes.forEach(b => { b.checked = all.checked }); sum() })
  sum()
}

const dress = from => {
  times(from)
  $$('form[data-select]', from).forEach(ticks)
  document.documentElement.classList.add('scripted')
}

document.addEventListener('click', async e => {
  const link = e.target.closest('a[data-swap]')
  if (link && !e.metaKey && !e.ctrlKey && !e.shiftKey && !e.altKey && e.button === 0) {
    e.preventDefault()
    const page = await swap('#main', link.href, true)
    if (page) { document.title = page.title; tell(page.title); $(['h1', 'h2', 'h3'].map(name => link.dataset.swap + ' ' + name).join())?.focus() }
    return
  }
  const copy = e.target.closest('[data-copy]')
  if (copy) {
    await navigator.clipboard.writeText(copy.dataset.copy)
    tell(words().copied)
    copy.textContent = words().copied
  }
})

document.addEventListener('submit', e => {
  const form = e.target
  if ('busy' in form.dataset) {
    if (form.dataset.busy === 'sent') { e.preventDefault(); return }
    form.dataset.busy = 'sent'
    const button = e.submitter || $('button[type=submit]', form)
    if (button) setTimeout(() => { button.setAttribute('aria-disabled', 'true'); button.textContent = words().working }, 0)
  }
})

// Back shows what was there, not a button that was pressed.
addEventListener('pageshow', e => { if (e.persisted) location.reload() })
addEventListener('popstate', () => location.reload())

// An open menu closes by Escape, and by a click elsewhere.
document.addEventListener('click', e => $$('details.menu[open]').forEach(m => { if (!m.contains(e.target)) m.open = false }))

// Single keys, unless they are switched off or somebody types.
let lead = ''
const row = step => {
  const rows = $$('#main tbody tr')
  if (!rows.length) return
  const now = rows.findIndex(r => r.classList.contains('at'))
  const to = rows[Math.min(rows.length - 1, Math.max(0, now + step))]
  rows.forEach(r => r.classList.remove('at'))
  to.classList.add('at')
  to.scrollIntoView({ block: 'nearest' })
  $('a, input, summary', to)?.focus()
}
document.addEventListener('keydown', e => {
  if (e.key === 'Escape') { $$('details.menu[open]').forEach(m => { m.open = false; $('summary', m).focus() }); return }
  if (words().keys === 'off' || e.metaKey || e.ctrlKey || e.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) && e.target.type !== 'checkbox') return
  if (lead === 'g') {
    lead = ''
    const to = $$('a[data-go]').find(a => a.dataset.go === e.key)
    if (to) { e.preventDefault(); to.click() }
    return
  }
  switch (e.key) {
    case 'g': lead = 'g'; setTimeout(() => { lead = '' }, 1500); break
    case '?': location.assign('/console/me#keys'); break
    case '/': { const box = $('input[type=search]'); if (box) { e.preventDefault(); box.focus() } break }
    case 'j': row(1); break
    case 'k': row(-1); break
    case 'x': { const box = $('tr.at input[type=checkbox]'); if (box) box.click(); break }
    default: { const button = $$('[data-key]').find(b => b.dataset.key === e.key); if (button) { e.preventDefault(); button.focus() } }
  }
})

dress(document)
look()
