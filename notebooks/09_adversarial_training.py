# %% [markdown]
# # 9 · Adversarial training: which images teach the network
#
# **After this notebook you can**
#
# - write adversarial training as a game between an attack and a network;
# - say which images a network learns from when most of them have a loss of exactly 0;
# - explain why in the paper noise seemed to help RBC and adversarial training seemed to harm it, and what really
#   happened.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 60 minutes | notebooks 02, 03 and 08 | about 35 seconds, 15 with `FAST` (MNIST: 90) |

# %% tags=["parameters"]
FAST = False  # True: fewer images, epochs and inner steps, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # or "mnist", once `tasklab data mnist` has downloaded it

# %%
import json
from pathlib import Path

import torch

from tasklab import PGD, Adversarial, GaussianNoise, Recipe, UniformNoise, attack, fit, load, load_data, zoo
from tasklab.evaluation import Share, combined, evaluate, mcnemar, outcomes
from tasklab.evaluation.statistics import Mean
from tasklab.experiments.scenario import Scenario
from tasklab.figures import accuracy_curves, gallery, outcome_stack
from tasklab.figures.training import training_figure
from tasklab.models.fast import PLAIN
from tasklab.paper.grid import cells_of
from tasklab.paper.protocol import PaperProtocol
from tasklab.paper.records import from_hex
from tasklab.paper.tables import values
from tasklab.training import EpochEvent, Watch, start_from

# %%
train = load_data(DATA, "train").subset(600 if FAST else 1000)
test = load_data(DATA, "test").subset(100 if FAST else 200)
x, y = test.x(), test.labels
EPS, EPOCHS, INNER = 0.1, 2 if FAST else 4, 3 if FAST else 5

# %% [markdown]
# ## 1 · A game between an attack and a network
#
# $$\min_\theta\ \mathbb{E}\ \max_{\lVert\delta\rVert_\infty \le \varepsilon}\ \mathcal{L}(x + \delta, y; \theta)$$
#
# The inner attack looks for the worst image near each training image, and the network then learns from the images that
# were found. The paper's inner attack climbs the training loss, and the paper *re*trains networks that are already
# fitted. So the first question is: does this attack have a gradient?
#
# We take the shipped RBC, which is well fitted, and look at what it would be given to learn from at ε = 0.1: images
# with uniform noise, and images from two inner attacks, which both start from exactly that noise.
#
# **Predict.** On how many of the images does the inner attack on the training loss move away from its random start?

# %%
guess = None  # in percent

# %%
rbc, images, labels = load(f"{DATA}-rbc"), train.x(slice(0, 200)), train.labels[:200]
noise, on_loss, on_margin = (
    attack(rbc, images, labels, settings)
    for settings in (PGD(eps=EPS, steps=1, step_size=0.0, keep="last", seed=SEED),
                     Adversarial(eps=EPS, steps=5, objective="train").inner(SEED),
                     Adversarial(eps=EPS, steps=5, objective="margin").inner(SEED))
)
inner = {"noise": noise, "attack on the loss": on_loss, "attack on the margin": on_margin}
moved = {name: (r.images != noise.images).flatten(1).any(dim=1) for name, r in inner.items()}
losses = {name: rbc.task.loss(rbc.read(r.images), labels) / rbc.task.S**2 for name, r in inner.items()}
for name, r in inner.items():
    print(f"{name:21} moved {float(moved[name].float().mean()):4.0%} of the images, mean loss / S² "
          f"{float(losses[name].mean()):6.3f}, classified correctly {r.accuracy:4.0%}")
gallery([r.images[1] for r in inner.values()], list(inner))

# %% tags=["check"]
print("you said", guess)
assert 0 < moved["attack on the loss"].float().mean() < 0.5, "Most images come back as the random start."
assert bool(moved["attack on the margin"].float().mean() > 0.9), "The margin has a gradient nearly everywhere."

# %% [markdown]
# For most images the attack on the loss returns its random start, bit for bit. So it is tempting to say that retraining
# on these images is mostly training on noise. Is that so? Look at what the *network* gets from them: the gradient with
# respect to its weights.
#
# **Predict.** Split the images into those that moved and those that did not. Which share of the training gradient comes
# from the images that did not move?

# %%
guess = None  # in percent

# %%
learner = start_from(rbc, rbc.task, train)  # a copy
learner.network.requires_grad_(True)


def weight_gradient(batch, targets):
    """The length of the gradient of the summed loss with respect to all weights."""
    total = learner.task.loss(learner.outputs(batch), targets).sum() / rbc.task.S**2
    parts = torch.autograd.grad(total, list(learner.network.parameters()))
    return float(torch.cat([part.flatten() for part in parts]).norm())


which = moved["attack on the loss"]
from_moved = weight_gradient(on_loss.images[which], labels[which])
from_still = weight_gradient(on_loss.images[~which], labels[~which])
same_with_noise = weight_gradient(noise.images[which], labels[which])
print(f"{int(which.sum())} images that moved: gradient {from_moved:.3g}; with noise alone it is {same_with_noise:.3g}")
print(f"{int((~which).sum())} images that did not move: gradient {from_still:.3g}")

# %% tags=["check"]
assert from_still < 0.01 * from_moved, "Images that did not move should hardly teach anything."  # ✓1
assert from_moved > 2 * same_with_noise, "The attack should make the others more instructive than noise does."  # ✓2
assert bool((losses["attack on the loss"][~which] == 0).float().mean() > 0.95)

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Nearly all of the training gradient comes from the few images that moved [✓1]. An image with zero loss gives the
# *attack* no gradient, but it gives *training* no gradient either, so it does not influence what is learned. And the
# images that did move give training at least twice the gradient that they would give with noise alone [✓2]. So this is
# not training on noise. How much the network learns from so few images has to be measured.
# </details>
#
# ## 2 · Retraining a fitted RBC
#
# Retrain the shipped RBC three times with one recipe: on Gaussian noise, on attacks on its training loss (as
# published), and on attacks on the margin. `start_from` copies the fitted system.

# %%
DEFENCES = {
    "noise": GaussianNoise(sigma=EPS), "training loss": Adversarial(eps=EPS, steps=INNER, objective="train"),
    "margin": Adversarial(eps=EPS, steps=INNER, objective="margin"),
}
systems, epochs = {"nothing": rbc}, {}


def retrained(defence):
    system = start_from(rbc, rbc.task, train)
    system.network.requires_grad_(True)
    recipe = Recipe(epochs=EPOCHS, batch_size=32, lr=1e-3, defence=defence, seed=SEED)
    return system, [event for event in fit(system, train, recipe) if isinstance(event, EpochEvent)]


for name, defence in DEFENCES.items():
    systems[name], epochs[name] = retrained(defence)
outcome_stack([(name, outcomes(system.predict(x), y)) for name, system in systems.items()], legend=True)

# %% tags=["check"]
assert all(float((system.predict(x) == y).float().mean()) > 0.85 for system in systems.values()), "All stay accurate."

# %% [markdown]
# ### As the paper measures
#
# The paper measures with PGD on the training loss, starting at the image. It concludes from such numbers that
# adversarial training "can not constantly improve the robustness of RBC, but retraining with Gaussian Noise perturbed
# examples can".
#
# **Predict.** Rank the four systems by their accuracy under this attack.

# %%
guess = []  # from the highest accuracy to the lowest

# %%
published = PGD(eps=EPS, steps=10, random_start=False, keep="last", objective="train", plan=PLAIN)
paper = {name: evaluate(system, test, [published])[1] for name, system in systems.items()}
outcome_stack([(name, row.outcomes) for name, row in paper.items()], legend=True)

# %% tags=["check"]
kept = {name: row.outcomes.accuracy.value for name, row in paper.items()}
print({name: f"{kept[name]:.0%} correct, no gradient on {row.zero_gradient.value:.0%}" for name, row in paper.items()})
assert DATA != "digits" or kept["noise"] > kept["training loss"], "By this number, noise is the better defence."  # ✓5
blind = {name: row.zero_gradient.value for name, row in paper.items()}
assert DATA != "digits" or blind["training loss"] < blind["noise"], "More images have a gradient."  # ✓4

# %% [markdown]
# ### As an attacker measures
#
# Now the same four systems are attacked on each bit in turn, on the margin and on the training loss. An image counts as
# correct only if all three attacks fail on it.
#
# **Predict.** Rank them again.

# %%
guess = []  # from the highest accuracy to the lowest

# %%
strong = [PGD(eps=EPS, steps=20, objective=objective, seed=SEED) for objective in ("bits", "margin", "train")]
worst = {name: combined(evaluate(system, test, strong)[1:]) for name, system in systems.items()}
outcome_stack([(name, row.outcomes) for name, row in worst.items()], legend=True)

# %% tags=["check"]
left = {name: row.outcomes.accuracy.value for name, row in worst.items()}
print({name: row.outcomes.accuracy.percent(0) for name, row in worst.items()})
assert min(left["training loss"], left["margin"]) > max(left["noise"], left["nothing"]), "Attacks help more."  # ✓3
standing = {name: row.decoded == row.labels for name, row in worst.items()}
p = mcnemar(standing["training loss"], standing["noise"])
print(f"training loss against noise, on the same images: p = {p:.1e}")
assert p < 0.05, "The difference should be more than chance."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Retraining on attacks on its training loss *helps* RBC far more than noise [✓3], although that attack moves only a
# minority of the images at first. On digits the published number says the opposite. After retraining on attacks there
# is less masking: fewer images have a loss of exactly 0, so the published attack finds a gradient on more of them [✓4].
# Noise leaves more images with a loss of 0, and so it has the higher published number [✓5].
# </details>
#
# ### Three seeds
#
# The same retraining was done with the command `tasklab paper table2 --data digits --arch small_cnn`, with its full
# recipe, other base systems and more attacks, for three seeds (`--seed 0`, `1` and `2`). The results come with tasklab.

# %%
METHODS = {"RBC": "nothing", "RBC+GN": "noise", "RBC+AT": "training loss", "RBC+AT (margin)": "margin"}
shipped = {name: [] for name in METHODS.values()}
for seed in (0, 1, 2):
    for table in ("table1", "table2"):
        for value in values(cells_of(table, ["digits"], ["small_cnn"], seed=seed), Path("runs/paper/cells"),
                            PaperProtocol()):
            if value.cell.method.name in METHODS and str(value.column) == "PGD I":
                shipped[METHODS[value.cell.method.name]].append(value)
for name, seeds in shipped.items():
    print(f"{name:9} as published {', '.join(f'{v.accuracy.value:.0%}' for v in seeds)};  without a gradient "
          f"{', '.join(f'{v.zero_gradient.value:.0%}' for v in seeds)};  worst case found "
          f"{', '.join(f'{v.adaptive.value:.0%}' for v in seeds)}")

# %% tags=["check"]
for before, noise_v, loss_v, margin_v in zip(*shipped.values(), strict=True):
    assert loss_v.accuracy.value < before.accuracy.value < noise_v.accuracy.value, (  # ✓6
        "As published: noise raises it, the loss lowers it.")
    assert loss_v.adaptive.value > noise_v.adaptive.value > before.adaptive.value, (  # ✓6
        "Worst case: both raise it, the loss more.")
    assert 0.095 < margin_v.adaptive.value - loss_v.adaptive.value < 0.135, (  # ✓7
        "For a fitted system the margin should be the better inner objective.")
assert all(v.arrows == ("↓", "↑") for v in shipped["training loss"]), "McNemar's test agrees for each seed."  # ✓6

# %% [markdown]
# <details><summary>What you should see</summary>
#
# All three seeds agree. The paper's arrows are reproduced, and they point the wrong way: in the worst case, attacks on
# the training loss help more than noise [✓6]. In the worst case found, the inner attack on the margin is ahead of the
# one on the loss by 10 to 13 points [✓7].
# </details>
#
# ## 3 · From fresh weights
#
# A network with fresh weights has no image at a loss of 0, so at first both inner attacks have something to climb.
#
# **Predict.** Does the choice of the inner objective matter as much when adversarial training starts from fresh
# weights?

# %%
guess = ""

# %%
record = json.loads((zoo.folder() / "course_seeds.json").read_text(encoding="utf-8"))["defences"]
fresh = {(row["variant"], row["seed"]): row for row in record}
SEEDS = sorted({seed for _, seed in fresh})
for name in ("none", "noise", "AT, loss", "AT, margin"):
    shares = {what: ", ".join(f"{fresh[name, seed][what]:.0%}" for seed in SEEDS) for what in ("clean", "worst")}
    print(f"{name:10} clean {shares['clean']};  worst case found {shares['worst']}")
for seed in SEEDS:
    two = [from_hex(fresh[name, seed]["standing"], 400) for name in ("AT, loss", "AT, margin")]
    print(f"seed {seed}: AT on the loss against AT on the margin, same images: p = {mcnemar(*two):.4f}")
lead = Mean(tuple(100 * (fresh["AT, margin", seed]["worst"] - fresh["AT, loss", seed]["worst"]) for seed in SEEDS))
print(f"lead of the margin, paired over the seeds, with its 95 % interval: {lead} points")

# %% tags=["check"]
for seed in SEEDS:
    at_loss, at_margin = (fresh[name, seed]["worst"] for name in ("AT, loss", "AT, margin"))
    assert min(at_loss, at_margin) > fresh["noise", seed]["worst"] + 0.2, "Either helps far more than noise."  # ✓9
    assert 0 < at_margin - at_loss < 0.07, "The margin should be ahead on every seed."  # ✓8
assert lead.interval[0] > 0 and lead.interval[1] < 9, "The margin should lead, but by little."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# It matters less. The margin is ahead on all four seeds, but by only 2 to 6 points, against 10 to 13 points in section
# 2; on one of the four, McNemar's test would call it chance [✓8]. Either of them leaves noise some 40 points behind
# [✓9]. While nothing is fitted, the training loss has a gradient on every image.
#
# (Small networks on 1,000 handwritten digits, 8 epochs, 400 test images. The command
# `python -m tests.benchmarks.course_seeds`, run in a clone of tasklab, makes these numbers.)
# </details>
#
# ## 4 · The shipped systems: is it the code, or the training?
#
# The figure shows TRA and RBC, each with plain and with adversarial training: the accuracy that two attacks leave
# together, at several ε.
#
# **Predict.** Two of the four curves will lie high and two low. Which pairs: TRA and RBC, or adversarial and plain
# training?

# %%
guess = ""

# %%
few, curves = test.subset(60 if FAST else 200), {}
for name in ("tra", "rbc", "tra-at", "rbc-at-margin"):
    system = load(f"{DATA}-{name}")
    curves[name] = {0.0: Share.of(system.predict(few.x()) == few.labels)}
    for eps in (0.1, 0.2) if FAST else (0.05, 0.1, 0.15, 0.2):
        settings = [PGD(eps=eps, steps=20, objective=objective, seed=SEED) for objective in ("margin", "train")]
        curves[name][eps] = combined(evaluate(system, few, settings)[1:]).outcomes.accuracy
accuracy_curves(curves, names={"rbc-at-margin": "rbc-at"}, up="correct in the worst case found, %")

# %% tags=["check"]
at = {name: points[0.1].value for name, points in curves.items()}
assert min(at["tra-at"], at["rbc-at-margin"]) > max(at["tra"], at["rbc"]) + 0.15, "The training decides."  # ✓10

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Adversarial and plain training [✓10]. Binary codes *can* be made more robust against these attacks, and so can class
# scores. The code alone does not do it. (All of these are upper bounds, over no more than two attacks.)
# </details>

# %% [markdown]
# ## Exercise 1 · R, a flattering measure (8 minutes)
#
# The paper measures a defence by $R = acc_a / acc_t$: the accuracy under attack over the accuracy without. Compute R
# for the four systems of section 2, once from `paper`, once from `worst`.
#
# *Hint.* `row.outcomes.accuracy.value` is the accuracy under attack; `row.clean` has the outcomes without one.

# %% tags=["exercise"]
R_paper, R_worst = {}, {}  # by the name of the system

# %% tags=["solution"]
R_paper = {name: row.outcomes.accuracy.value / row.clean.accuracy.value for name, row in paper.items()}
R_worst = {name: row.outcomes.accuracy.value / row.clean.accuracy.value for name, row in worst.items()}

# %% tags=["check"]
for which_R, given, rows in (("R_paper", R_paper, paper), ("R_worst", R_worst, worst)):
    assert set(given) == set(rows), f"Exercise 1: {which_R} should have one number for each of {', '.join(rows)}."
    for name, row in rows.items():
        assert abs(given[name] - row.stability) < 1e-6, (
            f"Exercise 1: {which_R} of '{name}' is not acc_a / acc_t. Which accuracy belongs above the line, and is it "
            "taken from the right table?")
for name in R_paper:
    print(f"{name:10} R as published {R_paper[name]:.2f}, in the worst case found {R_worst[name]:.2f}")

# %% [markdown]
# ## Exercise 2 · Which noise? (10 minutes)
#
# Is Gaussian noise special? Retrain one more RBC on *uniform* noise of the same ε, by the recipe of section 2, and
# measure it as an attacker would: over all attacks of `strong`. Put the system into `on_uniform` and its accuracy in
# the worst case found into `uniform`.
#
# *Hint.* `UniformNoise` takes `eps`. Section 2 has a function that retrains, and the line that made `worst`.

# %% tags=["exercise"]
on_uniform, uniform = None, None  # the system, and its accuracy in the worst case found, from 0 to 1

# %% tags=["solution"]
on_uniform, _ = retrained(UniformNoise(eps=EPS))
uniform = combined(evaluate(on_uniform, test, strong)[1:]).outcomes.accuracy.value

# %% tags=["check"]
assert on_uniform is not None and uniform is not None, "Exercise 2: set both the system and its accuracy."
assert not any(torch.equal(on_uniform.read(x), system.read(x)) for system in systems.values()), (
    "Exercise 2: this is one of the systems of section 2. Retrain a new one, on UniformNoise.")
expected = combined(evaluate(on_uniform, test, strong)[1:]).outcomes.accuracy.value
assert abs(uniform - expected) < 1e-6, (
    f"Exercise 2: all attacks of `strong` together leave another accuracy than {uniform:.1%}. Did you combine them?")
assert uniform < min(left["training loss"], left["margin"]), (
    "Exercise 2: this is more than noise should achieve. What have you trained on?")
print(f"uniform {uniform:.0%}, Gaussian {left['noise']:.0%}, attacks on the training loss {left['training loss']:.0%}")

# %% [markdown]
# ## Exercise 3 · Watch the masking disappear (8 minutes)
#
# Retrain the RBC once more, on attacks on its training loss, for 2 epochs, *watched* at ε = 0.1 on 60 validation
# images, and put the list of its epoch events into `watched`. The check draws them. Look at the grey area, the share of
# images without a gradient.
#
# *Hint.* `fit` takes `validation=` (a set of images, such as the first 100 of the split "validation") and
# `watch=Watch(eps=..., steps=5, images=...)`. Of its events, only some are an `EpochEvent`.

# %% tags=["exercise"]
watched = []  # two EpochEvents

# %% tags=["solution"]
system = start_from(rbc, rbc.task, train)
system.network.requires_grad_(True)
recipe = Recipe(epochs=2, batch_size=32, lr=1e-3, defence=DEFENCES["training loss"], seed=SEED)
events = fit(system, train, recipe, validation=load_data(DATA, "validation").subset(100),
             watch=Watch(eps=0.1, steps=5, images=60))
watched = [event for event in events if isinstance(event, EpochEvent)]

# %% tags=["check"]
assert len(watched) == 2, "Exercise 3: `watched` should hold the events of two epochs."
assert all(isinstance(event, EpochEvent) for event in watched), "Exercise 3: keep only the events that end an epoch."
assert all(event.robust_accuracy is not None for event in watched), "Exercise 3: pass validation= and watch= to fit."
assert all(event.zero_gradient_share is not None for event in watched), "Exercise 3: the recipe has no inner attack."
training_figure([vars(event) for event in watched])

# %% [markdown]
# ## The same in the app
#
# The page "Train" trains with every defence and both inner objectives, and draws the curves live.

# %%
keys = ("tra", "rbc", "tra-at", "rbc-at-margin")
print(Scenario(data=DATA, systems=tuple(f"{DATA}-{key}" for key in keys), eps=0.1).link("train"))
print(Scenario(data=DATA, systems=tuple(f"{DATA}-{key}" for key in keys), eps=0.1).link("robust"))

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. The inner attack on the training loss of a fitted RBC returns most images with nothing but the noise of its random
#    start. Why is retraining on them more than training on noise?
# 2. A defence lowers the accuracy under PGD on the training loss from 84 % to 71 %. Is it bad?
# 3. R is near 1 for a system. Name two reasons for that, one of them worthless.
# 4. What would you report about an adversarially trained RBC, besides its accuracy under attack?
#
# <details><summary>Answers</summary>
#
# 1. Images with a loss of 0 give training no gradient. All that the network learns comes from the images that moved.
# 2. Look at the gradients before you judge. The defence may have removed the masking and raised the accuracy in the
#    worst case.
# 3. Either the system withstands the attack, or the attack has no gradient.
# 4. What the inner attack climbed, its ε and steps; whether training began with a fitted system or with fresh weights;
#    clean accuracy; the share of zero gradients inside and outside; the worst case over several objectives, at several
#    ε; how many seeds.
# </details>
#
# ## Further reading
#
# - [@madry2018] The game of section 1.
# - [@tramer2018] How adversarial training can learn to mask.
# - [@zhang2019] TRADES.
# - [@rice2020] Why the last epoch is not the best.
