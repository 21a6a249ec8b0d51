// The one script of these pages: asks the browser's passkey dialogue what the page says, and sends the answer by its form.
const form = document.querySelector('form[data-passkey]');
const failed = document.getElementById('passkey-failed');

async function ask() {
  const { startRegistration, startAuthentication } = window.SimpleWebAuthnBrowser;
  const start = form.dataset.passkey === 'create' ? startRegistration : startAuthentication;
  return start({ optionsJSON: JSON.parse(form.dataset.options) });
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  failed.hidden = true;
  try {
    form.elements.answer.value = JSON.stringify(await ask());
    form.submit();
  } catch {
    failed.hidden = false;
  }
});
