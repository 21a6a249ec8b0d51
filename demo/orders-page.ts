import Handlebars from 'handlebars';

export interface OrdersPage {
  title: string;
  text: string;
  /** What the issuer tells of the guest. */
  claims?: object;
}

const template = Handlebars.compile(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Orders</title>
<style>
body { display: grid; place-items: center; min-height: 100vh; margin: 0; background: #eef4f1; color: #14342b; font: 1.125rem/1.5 system-ui, sans-serif; }
main { padding: 2rem; text-align: center; }
dl { display: grid; grid-template-columns: auto auto; gap: .25rem 1rem; font-size: .875rem; text-align: left; }
dt { font-family: ui-monospace, monospace; }
dd { margin: 0; overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<h1>{{title}}</h1>
<p>{{text}}</p>
{{#if claims}}
<dl>{{#each claims}}<dt>{{@key}}</dt><dd>{{this}}</dd>{{/each}}</dl>
<p><a href="/sign-out">Sign out</a></p>
{{/if}}
</main>
</body>
</html>
`);

export function renderOrdersPage(page: OrdersPage): string {
  return template(page);
}
