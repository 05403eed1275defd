// What runs in the page while it is measured: it looks at the page as a person does, and keeps times and long tasks.

/** Before the page's own scripts: every task of the page's thread over 50 ms is kept. */
export const observeTasks = `
  window.longTasks = [];
  new PerformanceObserver((list) => { for (const task of list.getEntries()) window.longTasks.push(task.duration); })
    .observe({ type: 'longtask', buffered: true });
`

/**
 * Does something and resolves with the milliseconds until the page shows what is expected: from the call to the frame after the
 * change, as it is seen.
 */
function until(act: string, seen: string, deadlineMs: number): string {
  return `new Promise((resolve, reject) => {
    const seen = () => { ${seen} };
    const startedMs = performance.now();
    const end = () => requestAnimationFrame(() => resolve(performance.now() - startedMs));
    const watch = new MutationObserver(() => { if (seen()) { watch.disconnect(); clearTimeout(timer); end(); } });
    const timer = setTimeout(() => { watch.disconnect(); reject(new Error('the page did not show it: ' + document.body.innerText.slice(0, 400))); }, ${deadlineMs});
    watch.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
    ${act}
  })`
}

/** The link to the pods, until the first of them stands there. */
export const openPods = until(
  `[...document.querySelectorAll('nav.side a')].find((link) => link.textContent.trim() === 'Pods').click();`,
  `return document.querySelector('.vt-row a') !== null;`,
  120_000,
)

/** Until all of them were read. */
export function untilListed(pods: number): string {
  return `new Promise((resolve) => {
    const startedMs = performance.now();
    const look = () => {
      const whole = document.querySelector('.head .sub')?.textContent === '${pods.toLocaleString('en')}' && document.querySelector('.live')?.textContent === 'Live';
      if (whole) resolve(performance.now() - startedMs); else setTimeout(look, 100);
    };
    look();
  })`
}

/** A filter as it is typed, until the count of what matches stands there. */
export function filterFor(text: string, shown: number, pods: number): string {
  const expected =
    shown === pods ? pods.toLocaleString('en') : `${shown.toLocaleString('en')} of ${pods.toLocaleString('en')}`
  return until(
    `const input = document.querySelector('.tools input');
     Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, ${JSON.stringify(text)});
     input.dispatchEvent(new Event('input', { bubbles: true }));`,
    `return document.querySelector('.head .sub')?.textContent === ${JSON.stringify(expected)};`,
    60_000,
  )
}

/** A click on the head of a column, until the first row is the one that it must be. */
export function sortBy(column: string, firstRow: string): string {
  return until(
    `[...document.querySelectorAll('.vt-head button')].find((button) => button.textContent.trim() === ${JSON.stringify(column)}).click();`,
    `return document.querySelector('.vt-row a')?.textContent === ${JSON.stringify(firstRow)};`,
    60_000,
  )
}

/** Scripts of the page so far, in bytes as they were sent. */
export const scriptBytes = `performance.getEntriesByType('resource')
  .filter(({ name }) => /\\.js$/.test(new URL(name).pathname))
  .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)`
