/**
 * Pages as HTML: `templates/web/<page>.hbs` with their partials and the sentences under `web.` of the catalogues, all
 * compiled at start. Templates are ours alone; whatever a tenant or an inviter wrote is data, and escaped.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Handlebars from 'handlebars';
import { MessageCatalogue } from '../mail/message-catalogue.js';
import { type Page, pageTemplates } from './page.js';
import { themePath } from './theme.js';

const SUFFIX = '.hbs';

const compileOptions: CompileOptions = {
  strict: true,
  knownHelpers: { t: true },
  knownHelpersOnly: true,
  preventIndent: true,
};

export class PageRenderer {
  readonly #templates: Map<string, Handlebars.TemplateDelegate>;

  private constructor(templates: Map<string, Handlebars.TemplateDelegate>) {
    this.#templates = templates;
  }

  /** @param templatesDirectory the folder that holds `web/` and `locales/` */
  static async load(templatesDirectory: string): Promise<PageRenderer> {
    const directory = join(templatesDirectory, 'web');
    const handlebars = Handlebars.create();
    const catalogue = await MessageCatalogue.load(join(templatesDirectory, 'locales'));
    handlebars.registerHelper('t', (key: string, { data, hash }: Handlebars.HelperOptions) =>
      catalogue.sentence(data.root.language, key, hash),
    );
    // Parsed here and not on first use, so that a syntax error stops the start.
    const compile = async (path: string) =>
      handlebars.compile(handlebars.parse(await readFile(path, 'utf8')), compileOptions);
    for (const file of await readdir(join(directory, 'partials'))) {
      handlebars.registerPartial(file.slice(0, -SUFFIX.length), await compile(join(directory, 'partials', file)));
    }
    const templates = pageTemplates.map(async (name) => [name, await compile(join(directory, name + SUFFIX))] as const);
    return new PageRenderer(new Map(await Promise.all(templates)));
  }

  render({ template, language, brand, facts }: Page): string {
    const render = this.#templates.get(template) as Handlebars.TemplateDelegate;
    return render({ refreshTo: null, ...facts, ...brand, language, themePath: themePath(brand.accentColor) });
  }
}
