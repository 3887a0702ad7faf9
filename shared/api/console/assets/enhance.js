// What the console's pages gain by script. Each of them works without it: see
// doc.go. Markup is only ever taken over as parsed by the browser from our own pages
// (XMLHttpRequest with a document as its answer), never made of text.
'use strict'

const $ = (selector, from = document) => from.querySelector(selector)
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)]
const words = () => document.body.dataset
const tell = text => { const live = $('#live'); if (live) live.textContent = text }

// A look of the script's own is told apart: it does not prolong the session of who has left.
const get = (url, tag, look) => new Promise((done, failed) => {
  const x = new XMLHttpRequest()
  x.open('GET', url)
  if (look) x.setRequestHeader('X-Console-Look', '1')
  if (tag) x.setRequestHeader('If-None-Match', tag)
  x.responseType = 'document'
  x.timeout = 20000
  x.onload = () => done(x)
  x.onerror = x.ontimeout = failed
  x.send()
})

// Which page is shown, whatever place within it.
const place = () => location.pathname + location.search
let shown = place()

// What a page was called when it was last looked at again: it is answered with 304 while
// nothing has changed.
let seen = { url: '', tag: '' }

// swap takes one part of a fresh page over. Whatever is not as expected (signed out, an
// error, another page) becomes an ordinary visit.
const swap = async (target, url, push) => {
  let x
  try { x = await get(url, !push && seen.url === url ? seen.tag : '', !push) } catch { if (push) location.assign(url); return false }
  if (x.status === 304) return false
  if (new URL(x.responseURL).pathname !== new URL(url, location.href).pathname) { location.assign(url); return false } // led on: the session has ended
  const fresh = x.response && $(target, x.response), old = $(target)
  if (x.status !== 200 || !fresh || !old) { if (push) location.assign(url); return false }
  if (push) { history.pushState(null, '', x.responseURL); shown = place() }
  seen = { url: push ? x.responseURL : url, tag: x.getResponseHeader('ETag') || '' }
  const focus = document.activeElement && old.contains(document.activeElement) ? document.activeElement.id : ''
  const opened = push ? [] : $$('details[open] > summary', old).map(s => s.textContent)
  const told = push ? null : $('.flash', old) // what an act told stays while the page looks again
  old.replaceWith(document.adoptNode(fresh))
  if (told && !$('.flash', fresh)) fresh.prepend(told)
  $$('details', fresh).forEach(d => { if (opened.includes($('summary', d)?.textContent)) d.open = true })
  dress(fresh)
  if (focus && document.getElementById(focus)) document.getElementById(focus).focus()
  return x.response
}

// look asks again, while somebody sees the page, whether anything has changed.
const began = Date.now()
const look = () => {
  const part = $('[data-poll]') // the page, or a part of it that is a page of its own as well
  if (!part) return
  const id = '#' + part.id, from = part.dataset.from, pause = Date.now() - began > 120000 ? Math.max(10000, +part.dataset.poll) : +part.dataset.poll
  setTimeout(async () => {
    const open = $('#main details[open]'), typing = document.activeElement && /INPUT|TEXTAREA|SELECT/.test(document.activeElement.tagName)
    if (!document.hidden && !typing && !(open && open.contains(document.activeElement))) {
      const before = $(id + ' .badge')?.textContent
      const page = await swap(id, from || location.href, false)
      const after = $(id + ' .badge')?.textContent
      if (page && before !== after) { tell(from ? $(id + ' h2').textContent : page.title); if (!from) document.title = page.title }
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

// A form with boxes to tick: all at once, ranges by shift, how many, none by Escape.
const ticks = form => {
  const boxes = $$('input[name=c]', form), all = $('[data-all]', form), count = $('[data-count]', form)
  if (!boxes.length) return
  const shown = n => n.toLocaleString(document.documentElement.lang)
  const elsewhere = () => +(count?.dataset.elsewhere || '').replace(/\D/g, '')
  let last = null, shift = false
  const sum = () => {
    const n = boxes.filter(b => b.checked).length, more = elsewhere()
    if (count) count.textContent = n + more ? (more ? words().chosenall : words().chosen).replace('{n}', shown(n)).replace('{of}', shown(boxes.length)).replace('{all}', shown(n + more)) : ''
    if (all) { all.checked = boxes.every(b => b.checked); all.indeterminate = !all.checked && boxes.some(b => b.checked) }
    boxes.forEach(b => b.closest('tr')?.classList.toggle('ticked', b.checked))
  }
  // A click on the label around a box comes before that on the box, which knows no keys then.
  form.addEventListener('click', e => { if (e.target.tagName !== 'INPUT') shift = e.shiftKey }, true)
  boxes.forEach((box, i) => box.addEventListener('click', e => {
    if ((e.shiftKey || shift) && last !== null) for (let j = Math.min(i, last); j <= Math.max(i, last); j++) boxes[j].checked = box.checked
    last = i
    shift = false
    sum()
  }))
  all?.addEventListener('change', () => { boxes.forEach(b => { b.checked = all.checked }); sum() })
  form.addEventListener('clear', () => {
    if (!elsewhere() && !boxes.some(b => b.checked)) return
    boxes.forEach(b => { b.checked = false })
    $$('input[name=s]').forEach(s => { s.value = '' })
    if (count) count.dataset.elsewhere = '0'
    $('[data-clear]', form)?.remove()
    sum()
    tell(words().chosen.replace('{n}', '0').replace('{of}', shown(boxes.length)))
  })
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
  const help = e.target.closest('[data-dialog]'), dialog = help && document.getElementById(help.dataset.dialog)
  if (dialog) { e.preventDefault(); dialog.showModal(); return }
  const open = e.target.closest('dialog')
  if (open && (e.target === open || e.target.closest('[data-close]'))) { open.close(); return } // beside it, or its button
  const copy = e.target.closest('[data-copy]')
  if (copy) {
    await navigator.clipboard.writeText(copy.dataset.copy)
    tell(words().copied)
    copy.textContent = words().copied
  }
})

// A file that is larger than its form takes is packed before it is sent; what is too large
// then as well is told, and nothing is sent.
const pack = async (form, input, submitter) => {
  const file = input.files[0], most = +form.dataset.most, fault = $('.fault', form)
  const packed = await new Response(file.stream().pipeThrough(new CompressionStream('gzip'))).blob()
  if (packed.size > most) { fault.textContent = form.dataset.toolarge; return }
  const list = new DataTransfer()
  list.items.add(new File([packed], file.name + '.gz', { type: 'application/gzip' }))
  input.files = list.files
  fault.textContent = ''
  form.requestSubmit(submitter)
}

document.addEventListener('submit', e => {
  const form = e.target, input = 'most' in form.dataset && $('input[type=file]', form)
  if (input && input.files[0]?.size > +form.dataset.most && 'CompressionStream' in window) {
    e.preventDefault()
    if (/\.gz$/.test(input.files[0].name)) $('.fault', form).textContent = form.dataset.toolarge
    else pack(form, input, e.submitter).catch(() => { $('.fault', form).textContent = form.dataset.toolarge })
    return
  }
  if ('busy' in form.dataset) {
    if (form.dataset.busy === 'sent') { e.preventDefault(); return }
    form.dataset.busy = 'sent'
    const button = e.submitter || $('button[type=submit]', form)
    if (button) setTimeout(() => { button.setAttribute('aria-disabled', 'true'); button.textContent = words().working }, 0)
  }
})

// Who leaves a form with what is not saved is asked.
let unsaved = false
document.addEventListener('input', e => { if (e.target.form && 'ask' in e.target.form.dataset) unsaved = true })
document.addEventListener('submit', () => { unsaved = false })
addEventListener('beforeunload', e => { if (unsaved) e.preventDefault() })

// Back shows what was there, not a button that was pressed.
addEventListener('pageshow', e => { if (e.persisted) location.reload() })
// Where it leads within the page, as to its content, nothing is to be fetched.
addEventListener('popstate', () => { if (place() !== shown) location.reload() })

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
  if ($('dialog[open]')) return
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) && e.target.type !== 'checkbox'
  if (e.key === 'Escape') {
    const menus = $$('details.menu[open]')
    menus.forEach(m => { m.open = false; $('summary', m).focus() })
    if (!menus.length && !typing) $$('form[data-select]').forEach(f => f.dispatchEvent(new Event('clear')))
    return
  }
  if (words().keys === 'off' || e.metaKey || e.ctrlKey || e.altKey || typing) return
  if (lead === 'g') {
    lead = ''
    const to = $$('a[data-go]').find(a => a.dataset.go === e.key)
    if (to) { e.preventDefault(); to.click() }
    return
  }
  switch (e.key) {
    case 'g': lead = 'g'; setTimeout(() => { lead = '' }, 1500); break
    case '?': $('#key-help')?.showModal(); break
    case 'Enter': { const to = e.target.type === 'checkbox' && $('tr.at a'); if (to) { e.preventDefault(); to.click() } break }
    case '/': { const box = $('#main input[type=search]') || $('input[type=search]'); if (box) { e.preventDefault(); box.focus() } break }
    case 'j': row(1); break
    case 'k': row(-1); break
    case 'x': { const box = $('tr.at input[type=checkbox]'); if (box) box.click(); break }
    default: { const button = $$('[data-key]').find(b => b.dataset.key === e.key); if (button) { e.preventDefault(); button.focus() } }
  }
})

dress(document)
look()
