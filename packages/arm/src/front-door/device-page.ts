// The page on which somebody signs a program in that has no browser: plain HTML without a script, so that any browser and curl will do.

/** What is shown: the way to a code, the question whose sign-in it is, or how it ended. */
export type DeviceView =
  | { readonly kind: 'code'; readonly wrong?: string }
  | { readonly kind: 'sign-in'; readonly userCode: string; readonly asker: string; readonly wrong?: string }
  | { readonly kind: 'end'; readonly text: string }

/** Nothing is loaded, nothing is framed, and what is typed goes nowhere else. */
export const devicePageHeaders = {
  'content-security-policy': "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
} as const

export function devicePage(view: DeviceView): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Sign in to Aksel</title></head>
<body>
<h1>Sign in to Aksel</h1>
${bodyOf(view)}
</body>
</html>
`
}

function bodyOf(view: DeviceView): string {
  switch (view.kind) {
    case 'code':
      return `${wrongOf(view.wrong)}<form method="get" action="/devicelogin">
<p><label>Code <input name="code" required autofocus autocomplete="off"></label></p>
<p><button>Next</button></p>
</form>`
    case 'sign-in':
      return `${wrongOf(view.wrong)}<p>${escaped(view.asker)} shows the code <strong>${escaped(view.userCode)}</strong> and asks to act in your name. Go on only if you started it yourself, just now.</p>
<form method="post" action="/devicelogin">
<input type="hidden" name="code" value="${escaped(view.userCode)}">
<p><label>Application (client) id <input name="client_id" required autofocus autocomplete="username"></label></p>
<p><label>Client secret <input name="client_secret" type="password" required autocomplete="current-password"></label></p>
<p><button name="answer" value="continue">Continue</button> <button name="answer" value="cancel" formnovalidate>Cancel</button></p>
</form>`
    case 'end':
      return `<p>${escaped(view.text)}</p>`
    default:
      return view satisfies never
  }
}

function wrongOf(text: string | undefined): string {
  return text === undefined ? '' : `<p role="alert">${escaped(text)}</p>\n`
}

function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replaceAll(/[&<>"']/g, (letter) => names[letter]!)
}
