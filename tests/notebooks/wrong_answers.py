"""Wrong answers to the exercises of the course, each with words of the message that a student should then get.

A wrong answer is code that stands in the place of the exercise's cell: a mistake that a student could make, or a number
that was made up. By name of the notebook: one list for each exercise.
"""

from __future__ import annotations

WRONG: dict[str, list[list[tuple[str, str]]]] = {
    "00_tour": [
        [("smallest = 0.2", "smaller ε"), ("smallest = 0.01", "larger ε"), ("smallest = 0.07", "one of the radii")],
        [
            ("read_as = -1", "alarm"), ("read_as = label", "still the correct digit"),
            ("answer = int(attacked('INT', 'margin', eps=0.4, criterion='evaded').decoded)\n"
             "read_as = next(digit for digit in range(10) if digit not in (label, answer))", "another digit than"),
        ],
    ],
    "01_codecs_and_losses": [
        [
            ("rbc_loss = lambda z, b, S: torch.relu(S - z * b).square().sum(dim=1)", "Which sign"),
            ("rbc_loss = lambda z, b, S: torch.relu(S - z * (2 * b - 1)).sum(dim=1)", "squared"),
            ("rbc_loss = lambda z, b, S: torch.relu(S - z * (2 * b - 1)).square().sum()", "for each example"),
        ],
        [
            ("decode = lambda row: sum(v for v, out in zip((8, 4, 2, 1), row) if out > 0)", "None"),
            ("decode = lambda row: (n := sum(v for v, out in zip((1, 2, 4, 8), row) if out > 0)) * (n < 10) - (n > 9)",
             "rows differ"),
            ("decode = lambda row: (lambda n: n if n < 10 else -1)(\n"
             "    sum(v for v, out in zip((8, 4, 2, 1), row) if out >= 0))", "exactly 0"),
        ],
        [
            ("changes = {'binary': 9, 'gray': 9}", "all the bits"),
            ("changes = {'binary': 16, 'gray': 8}", "Gray code"),
            ("changes = {'binary': 16, 'gray': None}", "set changes"),
        ],
    ],
    "02_training": [
        [
            ("scores = {rate: 0.4 + rate for rate in rates}\nbest_rate = 1e-1", "not 50.0%"),
            ("scores = {1e-2: 0.9}\nbest_rate = 1e-2", "each of the four"),
            ("scores = dict.fromkeys(rates, 0.5) | {1e-2: 0.9}\nbest_rate = 1e-3", "highest score"),
        ],
        [
            ("alpha, beta = 1, 19", "wider gap"), ("alpha, beta = 18, 2", "narrower gap"),
            ("alpha, beta = 0, 20", "above 0"), ("alpha, beta = 10, 20", "α + β should be 20"),
        ],
    ],
    "03_attacks_from_scratch": [
        [
            ("fgsm_l2 = fgsm", "its own length"),
            ("def fgsm_l2(system, x, y, eps):\n"
             "    leaf = x.clone().requires_grad_()\n"
             "    g, = torch.autograd.grad(system.task.loss(system.outputs(leaf), y).sum(), leaf)\n"
             "    return (x + eps * g / g.norm()).clamp(0, 1)", "by less than ε"),
            ("def fgsm_l2(system, x, y, eps):\n"
             "    leaf = x.clone().requires_grad_()\n"
             "    g, = torch.autograd.grad(system.task.loss(system.outputs(leaf), y).sum(), leaf)\n"
             "    return (x - eps * g / g.flatten(1).norm(dim=1)[:, None, None, None]).clamp(0, 1)", "uphill"),
            ("def fgsm_l2(system, x, y, eps):\n"
             "    leaf = x.clone().requires_grad_()\n"
             "    g, = torch.autograd.grad(system.task.loss(system.outputs(leaf), y).sum(), leaf)\n"
             "    return x + eps * g / g.flatten(1).norm(dim=1)[:, None, None, None]", "[0, 1]"),
            ("def fgsm_l2(system, x, y, eps):\n"
             "    leaf = x.clone().requires_grad_()\n"
             "    g, = torch.autograd.grad(system.task.loss(system.outputs(leaf), y).sum(), leaf)\n"
             "    return (x + eps * g.sign() / x[0].numel() ** 0.5).clamp(0, 1)", "not its sign"),
        ],
        [
            ("towards_3 = lambda task, z, y: task.loss(z, torch.full_like(y, 3))", "sign"),
            ("towards_3 = lambda task, z, y: -task.loss(z, y)", "label of the loss"),
            ("towards_3 = lambda task, z, y: -task.loss(z, torch.full_like(y, 3)).sum()", "for each image"),
        ],
        [
            ("report = {}", "report['changed']"),
            ("report = {'changed': 'I changed the step size', 'predicted': 'more', 'measured': {}, 'concluded': ''}",
             "report['predicted']"),
            ("words = 'It is weaker than it looks'\n"
             "report = {'changed': words, 'predicted': words, 'measured': {'weak': 80}, 'concluded': words}",
             "two measurements"),
        ],
    ],
    "04_decision_outputs": [
        [
            ("nearly_lost = lambda margins, S: (margins < S).mean()", "misclassified"),
            ("nearly_lost = lambda margins, S: (margins > 0).mean()", "below S"),
            ("nearly_lost = lambda margins, S: ((margins > 0) & (margins < S)).sum() / (margins > 0).sum()", "*all*"),
        ],
        [
            ("weakest = int(((clean > 0) != (rbc.read(aimed.images) > 0)).float().mean(dim=0).argmin())",
             "another bit"),
            ("weakest = 4", "from 0 to 3"), ("weakest = [0.2, 0.5, 0.3, 0.4]", "from 0 to 3"),
        ],
    ],
    "05_feature_maps": [
        [
            ("nearest_agrees = lambda points, labels: float((labels[torch.cdist(points, points).argmin(1)] == labels)\n"
             "                                              .float().mean())", "its own neighbour"),
            ("nearest_agrees = lambda points, labels: float((labels[torch.cdist(points, points).argmax(1)] == labels)\n"
             "                                              .float().mean())", "tasklab finds"),
            ("nearest_agrees = lambda points, labels: 0.95", "you find 95.0%"),
        ],
        [
            ("pca = lambda points: points @ torch.linalg.svd(points, full_matrices=False)[2][:2].T", "the mean"),
            ("pca = lambda points: (points - points.mean(0)) @ torch.linalg.svd(\n"
             "    points - points.mean(0), full_matrices=False)[2][:, :2]", "rows of vh"),
            ("pca = lambda points: points - points.mean(0)", "two numbers"),
        ],
        [
            ("disguised = lambda positions: positions + 0.1", "moved by only 0.14"),
            ("disguised = lambda positions: positions[::-1] + 1000", "new neighbours"),
            ("disguised = lambda positions: positions * [1, 0.001] + 1000", "new neighbours"),
            ("disguised = lambda positions: positions[:, 0] + 10", "one position for each"),
        ],
        [
            ("report = {}", "report['changed']"),
            ("words = 'They stay at home all day'\n"
             "report = {'changed': words, 'predicted': words, 'measured': [0.1, 0.2], 'concluded': words}",
             "two measurements"),
            ("words = 'They stay at home all day'\n"
             "report = dict.fromkeys(('changed', 'predicted', 'concluded'), words)\n"
             "report['measured'] = {'a': 'more', 'b': 'less'}",
             "numbers"),
        ],
    ],
    "06_transfer": [
        [("weak = set(keys)", "leave out RBC"), ("weak = {'tra', 'deepbe', 'int'}", "be in the set"),
         ("weak = set()", "be in the set"), ("weak = ['int']", "a set of names")],
        [
            ("everybody = own.union('rbc').rate().value\n"
             "single = max(aimed.cells[key, 'rbc'].rate().value for key in keys if key != 'rbc')", "from aimed"),
            ("everybody = aimed.union('rbc').rate().value\n"
             "single = max(aimed.cells[key, 'rbc'].rate().value for key in keys)", "not RBC itself"),
            ("everybody = 100 * aimed.union('rbc').rate().value\n"
             "single = 100 * max(aimed.cells[key, 'rbc'].rate().value for key in keys if key != 'rbc')", "from 0 to 1"),
        ],
    ],
    "07_effect_of_s": [
        [
            ("class Stretch(nn.Module):\n    forward = lambda self, z: 10 * z\n"
             "stretched = System(nn.Sequential(ten.network, Stretch()), RBC(S=350))", "35 times"),
            ("class Stretch(nn.Module):\n    forward = lambda self, z: 35 * z\n"
             "stretched = System(nn.Sequential(ten.network, Stretch()), RBC(S=10))", "S = 350"),
            ("class Stretch(nn.Module):\n    forward = lambda self, z: -35 * z\n"
             "stretched = System(nn.Sequential(ten.network, Stretch()), RBC(S=350))", "as before"),
            ("class Stretch(nn.Module):\n    forward = lambda self, z: 340 * z.sign() + z\n"
             "stretched = System(nn.Sequential(ten.network, Stretch()), RBC(S=350))", "every margin"),
        ],
        [
            ("nearest = {10: 0.1, 350: 0.1}", "another median"), ("nearest = {10: 0.07}", "set nearest"),
            ("distance = float(attack(load(f'{DATA}-rbc-s10'), x[:20], y[:20], FAB(steps=20)).distance.median())\n"
             "nearest = {10: distance, 350: 35 * distance}", "S = 350"),
        ],
    ],
    "08_is_it_really_robust": [
        [
            ("suspicious = lambda result: result.accuracy > 0.5", "high accuracy alone"),
            ("suspicious = lambda result: result.share(result.zero_gradient) > 0.1", "nothing moves"),
            ("suspicious = lambda result: result.share(result.unmoved) > 0.1", "random start"),
            ("suspicious = lambda result: True", "It works"),
        ],
        [
            ("class Disguise(nn.Module):\n    forward = lambda self, z: 2 * z\n"
             "masked_tra = System(nn.Sequential(tra.network, Disguise()), TRA())", "lead by more"),
            ("class Disguise(nn.Module):\n    forward = lambda self, z: 0 * z\n"
             "masked_tra = System(nn.Sequential(tra.network, Disguise()), TRA())", "as before"),
            ("class Disguise(nn.Module):\n    forward = lambda self, z: z / 1000\n"
             "masked_tra = System(nn.Sequential(tra.network, Disguise()), TRA())", "lead by more"),
        ],
        [("best = 'train'", "leaves less"), ("best = 'up'", "leaves less"),
         ("best = 'noise'", "one of the objectives")],
    ],
    "09_adversarial_training": [
        [
            ("R_paper = {name: row.outcomes.accuracy.value / row.clean.accuracy.value for name, row in worst.items()}\n"
             "R_worst = {name: row.outcomes.accuracy.value / row.clean.accuracy.value for name, row in paper.items()}",
             "right table"),
            ("R_paper = {name: row.clean.accuracy.value / row.outcomes.accuracy.value for name, row in paper.items()}\n"
             "R_worst = {name: row.clean.accuracy.value / row.outcomes.accuracy.value for name, row in worst.items()}",
             "above the line"),
            ("R_paper = {name: row.outcomes.accuracy.value / row.clean.accuracy.value for name, row in paper.items()}",
             "R_worst should have"),
        ],
        [
            ("on_uniform, uniform = systems['noise'], left['noise']", "Retrain a new one"),
            ("on_uniform, uniform = None, 0.1", "both the system"),
            ("on_uniform, _ = retrained(UniformNoise(eps=EPS))\nuniform = 0.1", "Did you combine"),
            ("on_uniform, _ = retrained(UniformNoise(eps=EPS))\n"
             "uniform = evaluate(on_uniform, test, [published])[1].outcomes.accuracy.value", "Did you combine"),
        ],
        [
            ("watched = epochs['training loss']", "pass validation="),
            ("watched = ['one', 'two']", "that end an epoch"),
            ("watched = epochs['training loss'][:1]", "two epochs"),
        ],
    ],
    "10_decision_regions": [
        [
            ("flat_share = lambda system, side: 0.9", "you find 90.0%"),
            ("flat_share = lambda system, side: float((regions(system, side=side).decoded >= 0).float().mean())",
             "tasklab finds"),
            ("def flat_share(system, side):\n"
             "    leaf = places(side).requires_grad_()\n"
             "    label = system.predict(leaf.detach()).clamp(min=0)\n"
             "    g, = torch.autograd.grad(system.task.loss(system.outputs(leaf), label).sum(), leaf)\n"
             "    return float((g == 0).all(dim=1).float().mean())", "tasklab finds"),
        ],
        [
            ("mine = INT(num_classes=4, alpha=8, beta=32)", "*ratio*"),
            ("mine = INT(num_classes=4, alpha=1000, beta=16)", "too wide"),
            ("mine = INT(num_classes=4, alpha=1000, beta=1)", "too wide"),
        ],
        [
            ("floored = System(systems['int'].network, INT(num_classes=4, beta=17, alpha=3))", "still None"),
            ("floored = System(systems['int'].network, INT(num_classes=4, alpha=0, beta=16))", "still None"),
            ("floored = systems['tra']", "stripes"),
        ],
    ],
    "11_bring_your_own": [
        [
            ("strokes = [[(0.5, 0.1), (0.5, 0.9)]]", "TRA reads a"),
            ("strokes = [[(7, 4), (20, 4), (12, 24)]]", "0 to 1"),
            ("strokes = [[(0.25, 0.85), (0.75, 0.85), (0.45, 0.15)]]", "y points down"),
            ("strokes = []", "list of strokes"),
        ],
        [
            ("parity = [(*row, 1 - sum(row) % 2) for row in plain.codec.rows]", "odd number"),
            ("parity = [(*row, 0) for row in plain.codec.rows]", "odd number"),
            ("parity = [(sum(row) % 2, *row) for row in plain.codec.rows]", "begin with"),
            ("parity = [(*row, sum(row)) for row in plain.codec.rows]", "0 or 1"),
        ],
        [
            ("nearest_class = lambda task, z, y: task.codec.margins(z).amax(dim=1)", "label left out"),
            ("nearest_class = lambda task, z, y: task.codec.margins(z).scatter(1, y[:, None], -torch.inf)",
             "for each image"),
            ("nearest_class = lambda task, z, y: task.codec.margins(z).scatter(1, y[:, None], 0.0).amax(dim=1)",
             "label left out"),
        ],
    ],
    "12_the_paper": [
        [("worst = ('TRA', 'PGD I')", "further off"), ("worst = ('RBC', 'FGSM I')", "a column of PGD"),
         ("worst = ('RBC', 'PGD III')", "further off")],
        [
            ("p = 0.05", "another p-value"), ("p = 'p < 0.05'", "a number"),
            ("p = mcnemar(found['training loss']['as published'].decoded == y, "
             "found['noise']['as published'].decoded == y)",
             "the attack on the margin"),
        ],
        [
            ("verdict = {}", "verdict['holds']"),
            ("words = 'the paper is wrong in every way'\n"
             "verdict = {'holds': words, 'does not hold': words, 'because': 'no', 'verify by': words}",
             "verdict['because']"),
            ("words = 'the paper is wrong in every way'\n"
             "verdict = dict.fromkeys(('holds', 'does not hold', 'because', 'verify by'), words)", "which number"),
        ],
    ],
    "13_which_system": [
        [
            ("price = lambda name: 0.0", "percentage points"),
            ("price = lambda name: table['clean'].max() - table.loc[name, 'clean']", "percentage points"),
            ("price = lambda name: 100 * (table['clean'].max() - table.loc[name, 'worst case'])", "pays nothing"),
        ],
        [
            ("quote = lambda name: 'RBC is robust'", "name ε"),
            ("quote = lambda name: f'At ε = 0.2 RBC keeps 72 % of {found[name].worst.accuracy.n} images [68, 76]'",
             "worst case found"),
            ("quote = lambda name: f'{found[name].worst.accuracy.percent()} % at ε = 0.2'", "name n"),
        ],
    ],
    "14_review_this_defence": [
        [
            ("clues = {'A': 1.0}", "each of A, B and C"),
            ("clues = dict.fromkeys('ABC', 0.0)", "Count zero gradients"),
            ("clues = {letter: result.share(result.unmoved) for letter, result in claims.items()}", "not unmoved"),
        ],
        [
            ("images_a = claims['A'].images", "no gradient"),
            ("images_a = x + 0.5 * torch.sign(torch.randn_like(x))", "pixel has changed by"),
            ("images_a = attack(A, x, y, PGD(eps=EPS, steps=200, objective='train')).images", "no gradient"),
            ("images_a = x.roll(1, 0)", "pixel has changed by"),
            ("images_a = torch.full_like(x, torch.nan)", "not numbers"),
            ("images_a = x - 0.9 * EPS", "in [0, 1]"),
            ("images_a = x[:5]", "for each of the"),
        ],
        [
            ("images_b = claims['B'].images", "gradient get lost"),
            ("images_b = images_a", "gradient get lost"),
            ("images_b = 1 - x", "pixel has changed by"),
        ],
        [
            ("images_c = claims['C'].images\nverdicts = dict.fromkeys('ABC', 'masked')", "a few points"),
            ("images_c = x\nverdicts = {'A': 'masked', 'B': 'masked', 'C': 'fair'}", "one careful attack"),
            ("images_c = attack(C, x, y, PGD(eps=EPS, steps=40, restarts=3, objective='bits', seed=SEED)).images\n"
             "verdicts = {'A': 'masked', 'B': 'masked', 'C': 'masked'}", "a few points"),
            ("images_c = attack(C, x, y, PGD(eps=EPS, steps=40, restarts=3, objective='bits', seed=SEED)).images\n"
             "verdicts = {'A': 'weak', 'B': 'weak', 'C': 'strong'}", "'masked' or 'fair'"),
        ],
        [
            ("review = {}", "review['claim']"),
            ("words = 'It is much weaker than its authors say'\n"
             "review = dict.fromkeys(('claim', 'method', 'result', 'reason', 'advice'), words)", "needs a number"),
            ("words = 'It keeps 5 % instead of 99 %'\n"
             "review = dict.fromkeys(('claim', 'method', 'result', 'reason', 'advice'), words)", "at which ε"),
        ],
    ],
}
