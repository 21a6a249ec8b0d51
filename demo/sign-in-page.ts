/** The sign-in page of the demo's partner: one form, no scripts, and plainly no place for a real password. */
import Handlebars from 'handlebars';

export interface SignInPage {
  organisation: string;
  /** Fills the field. */
  email?: string;
  problem?: string;
  /** The sign-in was opened too long ago, or in another browser. */
  expired?: boolean;
}

export const renderSignInPage: (page: SignInPage) => string = Handlebars.compile<SignInPage>(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in – {{organisation}}</title>
<style>
body { margin: 0; background: #fdf6e3; color: #222; font: 1rem/1.5 system-ui, sans-serif; }
.ribbon { margin: 0; padding: .5rem 1rem; background: #b58900; color: #fff; text-align: center; font-weight: 600; }
main { max-width: 22rem; margin: 3rem auto; padding: 0 1rem; }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit; }
input { margin: .25rem 0 1rem; padding: .6rem; border: 1px solid #777; border-radius: .25rem; }
button { margin-bottom: .5rem; padding: .6rem; border: 1px solid #7a5c00; border-radius: .25rem; background: #fff; color: #7a5c00; }
button.primary { background: #7a5c00; color: #fff; }
[role=alert] { color: #a00; }
</style>
</head>
<body>
<p class="ribbon">Demo provider: no passwords, no real accounts</p>
<main>
<h1>{{organisation}}</h1>
{{#if expired}}
<p role="alert">This sign-in is no longer valid. Go back to where you came from and start again.</p>
{{else}}
<p>Sign in with your {{organisation}} address.</p>
{{#if problem}}<p role="alert">{{problem}}</p>{{/if}}
<form method="post">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="{{email}}" required autofocus>
<button class="primary">Sign in</button>
<button name="cancel" value="1" formnovalidate>Cancel</button>
</form>
{{/if}}
</main>
</body>
</html>
`);
