// Who asks the shop for something all the time, and remembers every answer that did not come.

import { request } from 'node:http'

/** One request every 100 ms (or what is said) from the outside, until it is stopped: how many were answered. */
export class Customers {
  readonly #url: string
  readonly #timer: NodeJS.Timeout
  readonly #open: Promise<void>[] = []
  readonly failures: string[] = []
  asked = 0

  constructor(url: string, everyMs = 100) {
    this.#url = url
    this.#timer = setInterval(() => void this.#open.push(this.#ask()), everyMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#open)
  }

  #ask(): Promise<void> {
    this.asked += 1
    const at = new Date().toISOString()
    return new Promise((resolve) => {
      const failed = (why: string): void => {
        this.failures.push(`${at} ${why}`)
        resolve()
      }
      const outgoing = request(this.#url, { agent: false, timeout: 10_000 }, (response) => {
        response.resume()
        response.on('end', () => (response.statusCode === 200 ? resolve() : failed(`status ${response.statusCode}`)))
        response.on('error', (error) => failed(error.message))
      })
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 10 s')))
      outgoing.on('error', (error) => failed(error.message))
      outgoing.end()
    })
  }
}
