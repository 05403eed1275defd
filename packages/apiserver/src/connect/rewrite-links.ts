// A page that came through a proxy path links to the root of the server that made it: its links, and the place that a
// redirect names, are led through the same proxy path, as upstream does.

import { Readable } from 'node:stream'
import { createGunzip, createInflate } from 'node:zlib'
import type { ApiResponse } from '@aksel/client/transport'

/** The attributes of HTML that hold one address, by element. */
const linkAttributes: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
}

export interface ProxyPlace {
  /** `/api/v1/namespaces/default/pods/web/proxy` */
  readonly prefix: string
  /** Of the server behind the proxy: `10.244.0.5:80`. */
  readonly host: string
}

/** An address as the client has to ask for it; those of other servers and relative ones stay. */
export function throughProxy(address: string, { prefix, host }: ProxyPlace): string {
  const [, , authority, path = ''] = /^(?:([a-z][a-z\d+.-]*):)?(?:\/\/([^/?#]*))?(.*)$/is.exec(address) ?? []
  const isOfOthers = authority !== undefined && authority !== '' && authority !== host
  if (isOfOthers || !path.startsWith('/') || path.startsWith(prefix)) return address
  return prefix + path
}

/** The answer with its redirect and, where it is a page, its links led through the proxy. */
export async function rewritten(answer: ApiResponse, place: ProxyPlace): Promise<ApiResponse> {
  const { location } = answer.headers
  const headers =
    location === undefined ? answer.headers : { ...answer.headers, location: throughProxy(location, place) }
  const isPage = /^text\/html\b/i.test(headers['content-type'] ?? '')
  const unpacked = isPage ? unpack(answer.body, headers['content-encoding']) : undefined
  if (unpacked === undefined) return { ...answer, headers }
  // Another length, and no longer packed.
  const { 'content-length': _length, 'content-encoding': _encoding, ...rest } = headers
  return { ...answer, headers: rest, body: await rewritePage(unpacked, place) }
}

/** Undefined for an encoding that is not known here: then the page stays as it is. */
function unpack(body: AsyncIterable<Uint8Array>, encoding = 'identity'): Readable | undefined {
  const source = Readable.from(body)
  switch (encoding.toLowerCase()) {
    case '':
    case 'identity':
      return source
    case 'gzip':
      return source.pipe(createGunzip())
    case 'deflate':
      return source.pipe(createInflate())
    default:
      return undefined
  }
}

async function rewritePage(page: Readable, place: ProxyPlace): Promise<AsyncIterable<Uint8Array>> {
  const { RewritingStream } = await import('parse5-html-rewriting-stream')
  const rewriter = new RewritingStream()
  rewriter.on('startTag', (tag) => {
    const names = linkAttributes[tag.tagName] ?? []
    for (const attribute of tag.attrs)
      if (names.includes(attribute.name)) attribute.value = throughProxy(attribute.value, place)
    rewriter.emitStartTag(tag)
  })
  page.on('error', (error) => rewriter.destroy(error))
  return bytesOf(page.setEncoding('utf8').pipe(rewriter))
}

async function* bytesOf(text: AsyncIterable<string | Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of text) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}
