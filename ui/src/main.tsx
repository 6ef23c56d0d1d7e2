import { render } from 'preact';
import { Page } from './components/page.tsx';
import { PageStore } from './page-store.ts';
import './style.css';
import { Telephone } from './telephone.ts';

const place = document.getElementById('page');
if (place === null) throw new Error('The page has no element with the id "page".');

const store = new PageStore();
const telephone = new Telephone(store, new URL('.', document.baseURI).href);
addEventListener('pagehide', telephone.leave);
render(<Page store={store} telephone={telephone} />, place);
telephone.listApps();
