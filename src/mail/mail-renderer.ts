/**
 * Owns how a message is said: `templates/mail/<message>/{subject,text,html}.hbs`, their partials, and the catalogues.
 * Templates are ours alone; whatever a tenant, an inviter or a guest wrote is data and never compiled. Whom to tell what
 * is the features' business (`*.mail.ts`), handing it over is `mail-transport.ts`.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Handlebars from 'handlebars';
import type { MailMessage } from '../kernel/mail-message.js';
import { type MailView, mailView } from './mail-view.js';
import { MessageCatalogue } from './message-catalogue.js';
import { oneLine } from './one-line.js';

export interface RenderedMail {
  /** A single line. */
  subject: string;
  text: string;
  html: string;
}

type Template = Handlebars.TemplateDelegate<MailView & { subject?: string }>;
type MailTemplates = Record<keyof RenderedMail, Template>;

export class MailRenderer {
  readonly #templates: Record<MailMessage['template'], MailTemplates>;

  private constructor(templates: Record<MailMessage['template'], MailTemplates>) {
    this.#templates = templates;
  }

  /**
   * Reads and compiles everything once: compiling takes fifty times as long as rendering.
   * @param templatesDirectory the folder that holds `mail/` and `locales/`
   */
  static async load(templatesDirectory: string): Promise<MailRenderer> {
    const catalogue = await MessageCatalogue.load(join(templatesDirectory, 'locales'));
    const directory = join(templatesDirectory, 'mail');
    const html = await TemplateCompiler.create(catalogue, directory, 'html');
    const text = await TemplateCompiler.create(catalogue, directory, 'text');
    const compile = async (template: MailMessage['template']): Promise<MailTemplates> => ({
      subject: await text.compileFile(join(directory, template, 'subject.hbs')),
      text: await text.compileFile(join(directory, template, 'text.hbs')),
      html: await html.compileFile(join(directory, template, 'html.hbs')),
    });
    return new MailRenderer({
      invitation: await compile('invitation'),
      'invitation-copy': await compile('invitation-copy'),
      passcode: await compile('passcode'),
    });
  }

  render(message: MailMessage): RenderedMail {
    const templates = this.#templates[message.template];
    const view = mailView(message);
    const subject = oneLine(templates.subject(view));
    return { subject, text: templates.text(view), html: templates.html({ ...view, subject }) };
  }
}

/** One isolated Handlebars environment per kind of output: only `html` escapes, and each has partials of its own. */
class TemplateCompiler {
  readonly #handlebars = Handlebars.create();
  readonly #options: CompileOptions;

  private constructor(catalogue: MessageCatalogue, output: 'html' | 'text') {
    this.#options = {
      strict: true,
      noEscape: output === 'text',
      knownHelpers: { t: true },
      knownHelpersOnly: true,
      preventIndent: true,
    };
    this.#handlebars.registerHelper('t', (key: string, { data, hash }: Handlebars.HelperOptions) =>
      catalogue.sentence((data.root as MailView).language, key, hash),
    );
  }

  static async create(catalogue: MessageCatalogue, directory: string, output: 'html' | 'text') {
    const compiler = new TemplateCompiler(catalogue, output);
    const partials = join(directory, 'partials');
    const suffix = `.${output}.hbs`;
    for (const file of await readdir(partials)) {
      if (!file.endsWith(suffix)) continue;
      compiler.#handlebars.registerPartial(
        file.slice(0, -suffix.length),
        await compiler.compileFile(join(partials, file)),
      );
    }
    return compiler;
  }

  async compileFile(path: string): Promise<Template> {
    const source = await readFile(path, 'utf8');
    // Parsed here and not on first use, so that a syntax error stops the start.
    return this.#handlebars.compile(this.#handlebars.parse(source), this.#options);
  }
}
