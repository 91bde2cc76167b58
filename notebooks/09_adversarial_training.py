# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 9 · Adversarial training: what the inner attack climbs decides what is learned
#
# **After this notebook you can**
#
# - write adversarial training as a game of two: an attack inside, a training outside;
# - say what happens to it where the inner attack has no gradient;
# - explain why noise seemed to help RBC and adversarial training seemed to hurt it, in the paper, and what is true.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 60 minutes | notebooks 02, 03 and 08 | about 35 seconds, 15 with `FAST` (MNIST: 70) |

# %% tags=["parameters"]
FAST = False  # True: fewer images, epochs and inner steps, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # or "mnist", once `tasklab data mnist` has brought it

# %%
from tasklab import PGD, RBC, Adversarial, GaussianNoise, Recipe, UniformNoise, attack, fit, load, load_data, new_system
from tasklab.evaluation import Share, combined, evaluate, outcomes
from tasklab.experiments.scenario import Scenario
from tasklab.figures import accuracy_curves, gallery, outcome_stack
from tasklab.figures.training import training_figure
from tasklab.models.fast import PLAIN
from tasklab.training import EpochEvent, Watch

train = load_data(DATA, "train").subset(600 if FAST else 1000)
test = load_data(DATA, "test").subset(100 if FAST else 200)
x, y = test.x(), test.labels
EPS, EPOCHS, INNER = 0.1, 4 if FAST else 8, 3 if FAST else 5

# %% [markdown]
# ## 1 · A game of two
#
# $$\min_\theta\ \mathbb{E}\ \max_{\lVert\delta\rVert_\infty \le \varepsilon}\ \mathcal{L}(x + \delta, y; \theta)$$
#
# Inside, an attack looks for the worst picture near each training picture. Outside, the network learns from what was
# found. The paper's inner attack climbs the training loss. So ask what you have learned to ask: *has it a gradient?*
#
# We take the shipped RBC, which is well fitted, and look at what it would be given to learn from at ε = 0.1: pictures
# with uniform noise, and pictures from two inner attacks, each with a random start.
#
# **Predict.** Order the three by the training loss that the network sees: noise, inner attack on the loss, on the
# margin.

# %%
guess = []  # from the smallest to the largest loss

# %%
rbc, images, labels = load(f"{DATA}-rbc"), train.x(slice(0, 200)), train.labels[:200]
noise, on_loss, on_margin = (
    attack(rbc, images, labels, settings)
    for settings in (PGD(eps=EPS, steps=1, step_size=0.0, keep="last", seed=SEED),
                     Adversarial(eps=EPS, steps=5, objective="train").inner(SEED),
                     Adversarial(eps=EPS, steps=5, objective="margin").inner(SEED))
)
found = {"noise": noise, "attack on the loss": on_loss, "attack on the margin": on_margin}
seen = {name: float(rbc.task.loss(rbc.read(r.images), labels).mean()) / rbc.task.S**2 for name, r in found.items()}
for name, r in found.items():
    print(f"{name:21} loss / S² {seen[name]:7.3f}, read right {r.accuracy:4.0%}, equal to the noise on "
          f"{float((r.images == noise.images).flatten(1).all(dim=1).float().mean()):4.0%} of the pictures")
gallery([r.images[1] for r in found.values()], list(found))

# %% tags=["check"]
assert seen["noise"] < seen["attack on the loss"] < seen["attack on the margin"]
same = (on_loss.images == noise.images).flatten(1).all(dim=1).float().mean()
assert float(same) > 0.6, "Most pictures from the attack on the loss are the random start, and nothing else."
assert float(on_margin.zero_gradient.float().mean()) == 0

# %% [markdown]
# <details><summary>What you should see</summary>
#
# For most pictures the attack on the loss returns its random start, bit for bit. To *retrain* a fitted RBC that way is
# mostly to train on noise. The attack on the margin finds what the network has to learn.
# </details>
#
# ## 2 · Four RBCs
#
# Now train four small RBCs from the beginning, by one recipe: without defence, on Gaussian noise, and with adversarial
# training whose inner attack climbs the loss (as published) or the margin.

# %%
DEFENCES = {
    "none": None, "noise": GaussianNoise(sigma=EPS), "AT, loss": Adversarial(eps=EPS, steps=INNER, objective="train"),
    "AT, margin": Adversarial(eps=EPS, steps=INNER, objective="margin"),
}
systems, epochs = {}, {}
for name, defence in DEFENCES.items():
    systems[name] = new_system(RBC(S=350), train, width=16, seed=SEED)
    recipe = Recipe(epochs=EPOCHS, batch_size=32, defence=defence, seed=SEED)
    events = fit(systems[name], train, recipe)
    epochs[name] = [event for event in events if isinstance(event, EpochEvent)]
outcome_stack([(name, outcomes(system.predict(x), y)) for name, system in systems.items()], legend=True)

# %% tags=["check"]
assert all(float((system.predict(x) == y).float().mean()) > 0.7 for system in systems.values()), "All should learn."

# %% [markdown]
# ### As the paper measures
#
# PGD on the training loss, from the picture. The paper concludes from such numbers: adversarial training "can not
# constantly improve the robustness of RBC, but retraining with Gaussian Noise perturbed examples can".
#
# **Predict.** Order the four by what they keep under this attack.

# %%
guess = []  # from the most to the least kept

# %%
published = PGD(eps=EPS, steps=10, random_start=False, keep="last", objective="train", plan=PLAIN)
paper = {name: evaluate(system, test, [published])[1] for name, system in systems.items()}
outcome_stack([(name, row.outcomes) for name, row in paper.items()], legend=True)

# %% tags=["check"]
kept = {name: row.outcomes.accuracy.value for name, row in paper.items()}
print({name: f"{kept[name]:.0%} kept, gradient 0 on {row.zero_gradient.value:.0%}" for name, row in paper.items()})
assert kept["noise"] > kept["none"] - 0.08, "Noise seems to help, or to do no harm."
harm = max(kept["AT, loss"], kept["AT, margin"]) < kept["none"]
assert harm == (DATA == "digits"), "On digits adversarial training seems to do harm! On MNIST it does not."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# On digits, the same arrows as in the paper's Table 2: noise up (or level), adversarial training down. Look at the
# shares with gradient 0, though. Those who "keep" most are those who are attacked least. (With `DATA = "mnist"`
# adversarial training goes up at once: there the undefended system's mask has more holes. Noise and "none" still live
# on theirs: what they keep is hardly more than the share with gradient 0.)
# </details>
#
# ### As an attacker measures
#
# The same four systems, attacked through each bit in turn.
#
# **Predict.** Order them again.

# %%
guess = []  # from the most to the least kept

# %%
strong = [PGD(eps=EPS, steps=20, objective=objective, seed=SEED) for objective in ("bits", "margin", "train")]
worst = {name: combined(evaluate(system, test, strong)[1:]) for name, system in systems.items()}
outcome_stack([(name, row.outcomes) for name, row in worst.items()], legend=True)

# %% tags=["check"]
left = {name: row.outcomes.accuracy.value for name, row in worst.items()}
print({name: row.outcomes.accuracy.percent(0) for name, row in worst.items()})
assert left["none"] < 0.15 and left["noise"] < min(left["AT, loss"], left["AT, margin"]), "The order is turned over."
assert min(left["AT, loss"], left["AT, margin"]) > left["none"] + 0.1, "Adversarial training is what helps."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# The order is turned over. What seemed to hurt on digits is the only thing that helps. Why did it *seem* to hurt? A
# network under constant attack does not get every bit to S. So its loss has a slope again, and the weak attack works:
# the system has lost its mask, and gained resistance.
# </details>
#
# ## 3 · And the inner objective?
#
# From the beginning of training, both inner attacks have something to climb: nothing is fitted yet. Watch the share of
# training pictures on which the inner attack never saw a gradient.

# %%
for name in ("AT, loss", "AT, margin"):
    shares = [f"{event.zero_gradient_share:.0%}" for event in epochs[name]]
    print(f"{name:10} inner attack without a gradient, epoch by epoch: {' '.join(shares)}")

# %% tags=["check"]
assert epochs["AT, loss"][0].zero_gradient_share < 0.05, "At the beginning nothing is fitted, nothing is masked."
assert epochs["AT, loss"][-1].zero_gradient_share >= epochs["AT, margin"][-1].zero_gradient_share
assert all(event.zero_gradient_share == 0 for event in epochs["AT, margin"]), "The margin always has a slope."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# The share starts at 0 and creeps up for the loss as the network fits its attacked pictures; for the margin it stays 0.
# With few epochs the two systems are alike. The fitted network of section 1 is where the two part ways.
# </details>
#
# ## 4 · The shipped systems: with the code, or with the training?
#
# TRA and RBC, each plain and adversarially trained. The worst case over two attacks, at several ε.
#
# **Predict.** Two of the four curves will lie high, two low. Which pairs: "the TRAs and the RBCs", or "the trained ones
# and the plain ones"?

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
accuracy_curves(curves, names={"rbc-at-margin": "rbc-at"}, up="right in the worst case found, %")

# %% tags=["check"]
at = {name: points[0.1].value for name, points in curves.items()}
assert min(at["tra-at"], at["rbc-at-margin"]) > max(at["tra"], at["rbc"]) + 0.15, "The training decides."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# The trained ones and the plain ones. Binary codes *can* be made to withstand more; so can scores. The code alone does
# not do it. (All of these are upper bounds: two attacks, no more.)
# </details>

# %% [markdown]
# ## Exercise 1 · R, the metric that flatters (8 minutes)
#
# The paper measures a defence by $R = acc_a / acc_t$: the accuracy under attack over the accuracy without. Compute R
# for the four systems of section 2, once from `paper`, once from `worst`.
#
# *Hint.* `row.outcomes.accuracy.value` is the accuracy under attack, `row.clean.accuracy.value` the one without. (A row
# knows R, too: `row.stability`. Compute it yourself first.)

# %% tags=["exercise"]
R_paper, R_worst = {}, {}  # by the name of the system

# %% tags=["solution"]
R_paper = {name: row.outcomes.accuracy.value / row.clean.accuracy.value for name, row in paper.items()}
R_worst = {name: row.outcomes.accuracy.value / row.clean.accuracy.value for name, row in worst.items()}

# %% tags=["check"]
for given, rows in ((R_paper, paper), (R_worst, worst)):
    assert set(given) == set(rows), "Exercise 1: one R for each of the four systems, please."
    for name, row in rows.items():
        assert abs(given[name] - row.stability) < 1e-6, f"Exercise 1: R of '{name}' is not acc_a / acc_t yet."
for name in R_paper:
    print(f"{name:10} R as published {R_paper[name]:.2f}, in the worst case found {R_worst[name]:.2f}")

# %% [markdown]
# ## Exercise 2 · Which noise? (10 minutes)
#
# Is Gaussian noise special? Train one more RBC, on *uniform* noise of the same ε, by the recipe of section 2, and
# measure it like an attacker. Put its worst-case accuracy into `uniform`.
#
# *Hint.* `UniformNoise(eps=EPS)` is a defence. `combined(evaluate(system, test, strong)[1:])` is the row of the worst
# case.

# %% tags=["exercise"]
uniform = None  # the accuracy in the worst case found, between 0 and 1

# %% tags=["solution"]
system = new_system(RBC(S=350), train, width=16, seed=SEED)
for _event in fit(system, train, Recipe(epochs=EPOCHS, batch_size=32, defence=UniformNoise(eps=EPS), seed=SEED)):
    pass
uniform = combined(evaluate(system, test, strong)[1:]).outcomes.accuracy.value

# %% tags=["check"]
assert uniform is not None, "Exercise 2: set `uniform` to the worst-case accuracy of the new system."
assert 0 <= uniform <= 1, "Exercise 2: a share between 0 and 1, please."
best = max(left["AT, loss"], left["AT, margin"])
assert uniform < best, f"Exercise 2: {uniform:.0%} is more than adversarial training. Have you used all of `strong`?"
print(f"uniform noise {uniform:.0%}, Gaussian noise {left['noise']:.0%}, adversarial training up to {best:.0%}")

# %% [markdown]
# ## Exercise 3 · Watch it live (5 minutes)
#
# Train an RBC with the inner attack on the margin for 2 epochs, *watched* at ε = 0.1 on 60 validation images, and put
# the list of its epoch events into `watched`. Then draw them.
#
# *Hint.* `fit(..., validation=..., watch=Watch(eps=0.1, steps=5, images=60))`. Keep the events that are `EpochEvent`.
# Validation images come from `load_data(DATA, "validation").subset(100)`.

# %% tags=["exercise"]
watched = []  # two EpochEvents

# %% tags=["solution"]
system = new_system(RBC(S=350), train, width=16, seed=SEED)
recipe = Recipe(epochs=2, batch_size=32, defence=Adversarial(eps=EPS, steps=3, objective="margin"), seed=SEED)
events = fit(system, train, recipe, validation=load_data(DATA, "validation").subset(100),
             watch=Watch(eps=0.1, steps=5, images=60))
watched = [event for event in events if isinstance(event, EpochEvent)]

# %% tags=["check"]
assert len(watched) == 2, "Exercise 3: `watched` should hold two epochs."
assert all(event.robust_accuracy is not None for event in watched), "Exercise 3: pass validation= and watch= to fit."
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
# 1. Why does retraining a *fitted* RBC with the published inner attack resemble training on noise?
# 2. A defence lowers the accuracy under own-loss PGD from 57 % to 40 %. Is it bad?
# 3. R is near 1 for a system. Name two ways to get there, one of them worthless.
# 4. What would you report about an adversarially trained RBC, besides its accuracy under attack?
#
# <details><summary>Answers</summary>
#
# 1. Its loss and gradient are 0 on most pictures; the inner attack returns its random start.
# 2. Not before one has looked at the gradients. It may have taken the mask off, and the worst case may have risen.
# 3. Withstanding the attack; or giving the attack no gradient.
# 4. What the inner attack climbed, ε, steps; clean accuracy; the share of zero gradients inside and outside; the worst
#    case over several objectives, at several ε.
# </details>
#
# ## Further reading
#
# - Madry, Makelov, Schmidt, Tsipras, Vladu (2018): *Towards Deep Learning Models Resistant to Adversarial Attacks*.
#   ICLR. arXiv:1706.06083. The game of two.
# - Tramèr, Kurakin, Papernot, Goodfellow, Boneh, McDaniel (2018): *Ensemble Adversarial Training: Attacks and
#   Defenses*. ICLR. arXiv:1705.07204. How adversarial training can learn to mask.
# - Zhang, Yu, Jiao, Xing, El Ghaoui, Jordan (2019): *Theoretically Principled Trade-off between Robustness and
#   Accuracy*. ICML. arXiv:1901.08573. TRADES.
# - Rice, Wong, Kolter (2020): *Overfitting in adversarially robust deep learning*. ICML. arXiv:2002.11569. Why the last
#   epoch is not the best.
