// A browser as a person has it: Debian's Chromium, which trusts this server's certificate and nothing else. What the page complains of
// is kept, and fails the story.

import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'
import { repositoryRoot } from './aksel.ts'

const CHROMIUM = '/usr/bin/chromium'
/** A page of a loaded machine takes its time; what is broken never comes. */
const DEADLINE_MS = 120_000

export type Scheme = 'light' | 'dark'

interface AxeNode {
  readonly html: string
  readonly failureSummary?: string
}

interface AxeResult {
  readonly violations: readonly { readonly id: string; readonly help: string; readonly nodes: readonly AxeNode[] }[]
  readonly passes: readonly unknown[]
}

export class DesktopBrowser implements AsyncDisposable {
  readonly #browser: Browser
  readonly #profile: string
  readonly page: Page
  /** Errors of the console, of scripts and of the content policy. */
  readonly complaints: string[] = []

  private constructor(browser: Browser, profile: string, page: Page) {
    this.#browser = browser
    this.#profile = profile
    this.page = page
    page.setDefaultTimeout(DEADLINE_MS)
    page.on('pageerror', (error) => this.complaints.push(String(error)))
    page.on('console', (message) => {
      // What the server refuses, the browser logs: refusals are looked at where they are shown.
      if (message.type() === 'error' && !/Failed to load resource/.test(message.text()))
        this.complaints.push(message.text())
    })
  }

  /** `dataDir`: of the server whose certificate is trusted. */
  static async open(dataDir: string): Promise<DesktopBrowser> {
    const { serving } = JSON.parse(await readFile(join(dataDir, 'server', 'identity.json'), 'utf8')) as {
      readonly serving: { readonly certificatePem: string }
    }
    const key = new X509Certificate(serving.certificatePem).publicKey.export({ type: 'spki', format: 'der' })
    const profile = await mkdtemp(join(tmpdir(), 'aksel-browser-'))
    const browser = await puppeteer.launch({
      executablePath: CHROMIUM,
      userDataDir: profile,
      protocolTimeout: 180_000,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`,
      ],
    })
    const page = await browser.newPage()
    await page.setViewport({ width: 1440, height: 900 })
    return new DesktopBrowser(browser, profile, page)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close()
    await rm(this.#profile, { recursive: true, force: true })
  }

  async visit(url: string): Promise<void> {
    await this.page.goto(url, { waitUntil: 'domcontentloaded' })
  }

  /** Waits until the text stands on the page; fails with what stands there instead. */
  async see(text: string, within = ''): Promise<void> {
    await this.#wait(`${within} ::-p-text(${text})`.trim(), `"${text}"`)
  }

  async seeElement(selector: string): Promise<void> {
    await this.#wait(selector, selector)
  }

  async #wait(selector: string, what: string): Promise<void> {
    try {
      await this.page.waitForSelector(selector, { timeout: DEADLINE_MS })
    } catch (error) {
      const text = await this.text()
      assert.fail(
        `${what} did not appear at ${this.page.url()} (${(error as Error).message}). There is:\n${text.slice(0, 3000)}`,
      )
    }
  }

  async gone(selector: string): Promise<void> {
    try {
      await this.page.waitForSelector(selector, { hidden: true, timeout: DEADLINE_MS })
    } catch {
      assert.fail(`${selector} did not go from ${this.page.url()}. There is:\n${(await this.text()).slice(-2000)}`)
    }
  }

  text(): Promise<string> {
    return this.page.$eval('body', (body) => (body as unknown as { readonly innerText: string }).innerText)
  }

  /** By role and name, as a person or a screen reader finds it. */
  async press(role: string, name: string): Promise<void> {
    await this.page.locator(`::-p-aria([role="${role}"][name="${name}"])`).click()
  }

  /** Presses a button of the dialog that is open, and waits until it is closed. */
  async answer(button: string): Promise<void> {
    const dialog = ':is([role="dialog"], [role="alertdialog"])'
    await this.page.locator(`${dialog} button ::-p-text(${button})`).click()
    await this.gone(dialog)
  }

  async type(name: string, text: string, role = 'textbox'): Promise<void> {
    const field = await this.page.waitForSelector(`::-p-aria([role="${role}"][name="${name}"])`)
    await field!.click({ count: 3 })
    await field!.type(text)
  }

  async scheme(value: Scheme): Promise<void> {
    // A colour on its way from one theme to the other is nobody's to judge.
    await this.page.emulateMediaFeatures([
      { name: 'prefers-color-scheme', value },
      { name: 'prefers-reduced-motion', value: 'reduce' },
    ])
  }

  /** Kept beside the tree, for people: a picture proves nothing by itself. */
  async shot(name: string): Promise<void> {
    const folder = join(repositoryRoot, 'artifacts', 'desktop')
    await mkdir(folder, { recursive: true })
    await this.page.screenshot({ path: join(folder, `${name}.png`) })
  }

  /**
   * Violations of WCAG 2.2 A and AA and of best practice, each with the element; empty where all is well. `colours`: only what another
   * theme can change.
   */
  async axe(what: 'all' | 'colours' = 'all'): Promise<readonly string[]> {
    if (!(await this.page.evaluate('"axe" in window'))) {
      const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
      await this.page.evaluate(source)
    }
    const rules = what === 'all' ? '' : ', runOnly: ["color-contrast", "link-in-text-block"]'
    const result = (await this.page.evaluate(
      // The component library's own sentinels for the focus, which nobody ever reaches: its makers say to leave them out.
      `axe.run({ exclude: [["[data-tabster-dummy]"]] }, { resultTypes: ["violations"]${rules} })`,
    )) as AxeResult
    assert.ok(result.passes.length > (what === 'all' ? 10 : 0), 'axe looked at the page')
    return result.violations.flatMap(({ id, help, nodes }) =>
      nodes.map(
        ({ html, failureSummary = '' }) =>
          `${id}: ${help}: ${html.slice(0, 200)} ${failureSummary.split('\n')[1] ?? ''}`,
      ),
    )
  }
}
