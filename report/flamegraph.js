/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Within the picture that render_flamegraph.c draws. Each g.f is a frame: data-x and data-w are where it
 * begins and how wide it is, in the unit of the whole; data-d how deep it lies, 0 for all. A click makes
 * a frame as wide as the picture; / or the word in the corner asks what to mark; Escape goes back.
 */
"use strict";
(function () {
	const svg = document.documentElement;
	const width = +svg.dataset.width, charWidth = +svg.dataset.char;
	const frames = Array.from(svg.querySelectorAll("g.f"), (g) => ({
		g, rect: g.querySelector("rect"), text: g.querySelector("text"),
		name: g.dataset.n, x: +g.dataset.x, w: +g.dataset.w, depth: +g.dataset.d,
	}));
	const whole = frames[0];
	const matched = document.getElementById("matched");

	function place(frame, x, w) {
		const nrChars = Math.floor((w - 4) / charWidth);
		frame.rect.setAttribute("x", x.toFixed(2));
		frame.rect.setAttribute("width", w.toFixed(2));
		frame.text.setAttribute("x", (x + 3).toFixed(2));
		frame.text.textContent = nrChars >= frame.name.length ? frame.name :
			nrChars < 3 ? "" : frame.name.slice(0, nrChars - 2) + "..";
	}

	function zoom(to) {
		const scale = width / to.w, end = to.x + to.w;
		for (const f of frames) {
			const isAround = f.depth < to.depth && f.x <= to.x && f.x + f.w >= end;
			const isWithin = f.depth >= to.depth && f.x >= to.x && f.x + f.w <= end;
			f.g.style.display = isAround || isWithin ? "" : "none";
			f.g.classList.toggle("around", isAround);
			if (isAround)
				place(f, 0, width);
			else if (isWithin)
				place(f, (f.x - to.x) * scale, f.w * scale);
		}
	}

	/* What is marked counts once, however often it calls itself. */
	function mark(pattern) {
		let sum = 0, end = -1;
		const hits = [];
		for (const f of frames) {
			const isHit = pattern !== null && f !== whole && pattern.test(f.name);
			f.g.classList.toggle("hit", isHit);
			if (isHit)
				hits.push(f);
		}
		hits.sort((a, b) => a.x - b.x || a.depth - b.depth);
		for (const f of hits)
			if (f.x >= end) {
				sum += f.w;
				end = f.x + f.w;
			}
		matched.textContent = pattern === null ? "" :
			"marked: " + (100 * sum / whole.w).toFixed(2) + " %";
		return sum;
	}

	function ask() {
		const typed = prompt("Mark functions whose name has (a regular expression):", "");
		if (typed === null)
			return;
		try {
			mark(typed === "" ? null : new RegExp(typed));
		} catch (error) {
			matched.textContent = "" + error.message;
		}
	}

	for (const f of frames)
		f.g.addEventListener("click", () => zoom(f));
	document.getElementById("mark").addEventListener("click", ask);
	window.addEventListener("keydown", (event) => {
		if (event.key === "/") {
			event.preventDefault();
			ask();
		} else if (event.key === "Escape") {
			zoom(whole);
			mark(null);
		}
	});
	if (whole)
		zoom(whole);
})();
