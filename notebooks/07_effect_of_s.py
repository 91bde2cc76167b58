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
# # 7 · The effect of S: why a larger margin changes nothing, and what does
#
# **After this notebook you can**
#
# - show, on paper and bit for bit, that RBC's S cancels out when the output layer is scaled along with it;
# - explain what "the effect of S" in a table is really an effect of;
# - tell a margin in the outputs from a distance in the picture.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 45 minutes | notebooks 00, 01 and 03 | about 12 seconds, 10 with `FAST` (MNIST: 35) |
#
# Small networks are trained here, on 1,000 pictures, in a second or two each.

# %% tags=["parameters"]
FAST = False  # True: fewer epochs and images, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # or "mnist", once `tasklab data mnist` has brought it

# %%
import torch
from torch import nn

from tasklab import PGD, RBC, Recipe, System, attack, fit, load, load_data, new_system
from tasklab.attacks import FAB
from tasklab.evaluation import Share
from tasklab.experiments.scenario import Scenario
from tasklab.figures.training import sweep_figure
from tasklab.models.fast import PLAIN

train = load_data(DATA, "train").subset(1000)
test = load_data(DATA, "test").subset(100 if FAST else 300)
x, y = test.x(), test.labels

# %% [markdown]
# ## 1 · What is claimed
#
# RBC's training loss asks every bit to be at least S on its side: $\lVert\mathrm{relu}(S - z\,s)\rVert^2$.
# The paper varies S and concludes: "with increasing S, the robust binary-label classification achieves higher test
# accuracy and robustness", because "S determines the margin between different categories".
#
# Write the network's output as $z = S \cdot h(x)$: the last layer is multiplied by S. Then
#
# $$\frac{1}{S^2}\,\lVert\mathrm{relu}(S - S\,h\,s)\rVert^2 = \lVert\mathrm{relu}(1 - h\,s)\rVert^2 .$$
#
# **Predict.** What is left of S on the right-hand side?

# %%
h = torch.randn(1000, 4, generator=torch.Generator().manual_seed(SEED))
labels = torch.arange(1000) % 10
for S in (1, 10, 350):
    print(f"S = {S:3}: the mean of loss / S² is {float((RBC(S=S).loss(S * h, labels) / S**2).mean()):.6f}")

# %% tags=["check"]
small, large = RBC(S=10).loss(10 * h, labels) / 10**2, RBC(S=350).loss(350 * h, labels) / 350**2
assert torch.allclose(small, large, rtol=1e-4), "One function of h, whatever S is."

# %% [markdown]
# ## 2 · Twins
#
# So let us train two networks that start from the same weights, see the same pictures in the same order, and differ in
# S alone: 16 and 256. In tasklab the output layer is scaled by S, and the loss divided by S², unless you ask otherwise.
#
# **Predict.** How do their outputs compare on the same test picture?

# %%
guess = ""  # for example "the same", "16 times as large", "unrelated"

# %%
EPOCHS = 4 if FAST else 8


def trained(S, parametrisation="scaled"):
    system = new_system(RBC(S=S, parametrisation=parametrisation), train, width=16, seed=SEED)
    for _event in fit(system, train, Recipe(epochs=EPOCHS, batch_size=32, seed=SEED)):
        pass
    return system


twins = {S: trained(S) for S in (16, 256)}
for S, system in twins.items():
    right = int((system.predict(x) == y).sum())
    print(f"S = {S:3}: {right} of {len(y)} right, first outputs {system.read(x[:1])[0].tolist()}")

# %% tags=["check"]
small, large = (system.read(x) for system in twins.values())
assert torch.equal(16 * small, large), "256 / 16 = 16, exactly: a factor that is a power of two does not even round."
assert all(float((s.predict(x) == y).float().mean()) > 0.7 for s in twins.values()), "Both should have learned."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Exactly 16 times as large, in every digit of every number: it is *the same network* with larger numbers written on
# it. Its margins are 16 times as large, too. The pictures at which it changes its mind are the same pictures.
# </details>
#
# ## 3 · Attack the twins
#
# **Predict.** PGD, ε = 0.1: which of the two keeps more right answers? Once for the own loss, once for the margin.

# %%
guess = {"own loss": "", "margin": ""}  # "16", "256" or "both alike"

# %%
def left(system, objective, eps=0.1):
    pgd = PGD(eps=eps, steps=10, random_start=False, objective=objective, plan=PLAIN)
    return attack(system, x, y, pgd)


for objective in ("train", "margin"):
    for S, system in twins.items():
        result = left(system, objective)
        print(f"{objective:6} S = {S:3}: {result.accuracy:.1%} right, zero gradient on "
              f"{result.share(result.zero_gradient):.1%} of the pictures that were right before")

# %% tags=["check"]
for objective in ("train", "margin"):
    one, other = (left(system, objective) for system in twins.values())
    assert torch.equal(one.decoded, other.decoded), "The twins should fall on the same pictures, to the same answers."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# No difference at all. PGD takes the *sign* of the gradient, so a factor in front of the loss does not matter.
# The own loss is 0 on the same pictures, and the margin changes its sign at the same pixels.
# </details>
#
# ## 4 · Where, then, does an effect of S come from?
#
# From training, if nobody rescales. With `parametrisation="paper"` the output layer starts as it comes, with outputs
# near 0, and has to grow until bits reach ±S. Same recipe, same number of epochs.
#
# **Predict.** With S = 1, 16, 64 and 256: does the clean accuracy rise or fall with S? And the accuracy under an attack
# on the own loss?

# %%
guess = {"clean": "", "own loss": ""}  # "rises", "falls", "stays"

# %%
points = {}
for S in (1, 16, 64, 256):
    system = trained(S, "paper")
    own, aimed = left(system, "train"), left(system, "margin")
    points[S] = {
        "accuracy": float((system.predict(x) == y).float().mean()), "robust_accuracy": aimed.accuracy,
        "own_loss_accuracy": own.accuracy, "own_loss_zero_gradient": own.share(own.zero_gradient),
    }
sweep_figure(points)

# %% tags=["check"]
small, large = points[1], points[256]
assert small["own_loss_zero_gradient"] > large["own_loss_zero_gradient"] + 0.2, "At S = 1 much is fitted."
assert large["own_loss_zero_gradient"] < 0.05, "At S = 256 nothing is: no bit has reached its margin."
assert small["own_loss_accuracy"] > large["own_loss_accuracy"] + 0.1, "It falls with what is fitted."
assert large["accuracy"] < small["accuracy"] + 0.05, "A larger S should not have bought accuracy."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Without an attack a large S gains nothing, and "attack on the training loss" *falls*: in these few epochs a large S is
# not reached. Fewer bits have their margin, so fewer pictures have a loss of 0, so that attack finds a slope again.
#
# With many more epochs, or a larger learning rate, a large S is reached, and the curves look different. So "the effect
# of S" is an effect of *how far training got*. It is an optimisation story, told by a masked attack.
# Where much is fitted (on the left), it all but coincides with "gradient of the loss exactly 0": what is counted as
# right is what the attack could not climb.
# </details>
#
# ## 5 · The shipped systems
#
# Three RBC systems come with tasklab, trained to the end with S = 10, 100 and 350. Behind each share stands its 95 %
# interval: with this many pictures it cannot be known better.
#
# **Predict.** Do the intervals for the margin overlap?

# %%
shares = {}
for S, name in ((10, "rbc-s10"), (100, "rbc-s100"), (350, "rbc")):
    for objective in ("train", "margin"):
        result = left(load(f"{DATA}-{name}"), objective)
        shares[S, objective] = Share.of(result.decoded == y)
        print(f"S = {S:3}, {objective:6}: {shares[S, objective]} % right")

# %% tags=["check"]
for S in (10, 100):
    low, high = shares[S, "margin"].interval
    base_low, base_high = shares[350, "margin"].interval
    assert low <= base_high and base_low <= high, "The intervals of the margin attack should overlap."
assert min(share.value for (_, o), share in shares.items() if o == "train") > 0.4

# %% [markdown]
# ## Exercise 1 · Make an S out of thin air (8 minutes)
#
# Take the shipped system with S = 10 and turn it into one with S = 350, *without training*. It must decode every test
# picture as before, and have 35 times its margins.
#
# *Hint.* `nn.Sequential(a, b)` applies b after a. What has to happen to the outputs? Only the line in `forward` has to
# change. Run the last line again after it, so that `stretched` is made of your layer.

# %% tags=["exercise"]
ten = load(f"{DATA}-rbc-s10")


class Stretch(nn.Module):
    def forward(self, z):
        return z  # replace this line


stretched = System(nn.Sequential(ten.network, Stretch()), RBC(S=350))

# %% tags=["solution"]
class Stretch(nn.Module):
    def forward(self, z):
        return 35 * z


stretched = System(nn.Sequential(ten.network, Stretch()), RBC(S=350))

# %% tags=["check"]
before, after = ten.margins(x).detach(), stretched.margins(x).detach()
assert torch.equal(ten.predict(x), stretched.predict(x)), "Exercise 1: it should read every picture as before."
ratio = float((after / before).median())
assert abs(ratio - 35) < 0.1, f"Exercise 1: the margins should be 35 times as large; yours are {ratio:.3g} times."
assert torch.equal(left(ten, "margin").fooled, left(stretched, "margin").fooled)

# %% [markdown]
# ## Exercise 2 · How far is the boundary, in pixels? (8 minutes)
#
# `FAB` looks for the *nearest* misread picture, without any ε. `attack(system, x, y, FAB(steps=20)).distance` holds,
# for each picture, the largest change of a pixel that was needed. Find the median distance for the shipped systems with
# S = 10 and S = 350.
#
# *Hint.* Load `f"{DATA}-rbc-s10"` and `f"{DATA}-rbc"`; use the first 50 pictures; `.median()` and `float(...)`.

# %% tags=["exercise"]
nearest = {10: None, 350: None}  # the median distance for each S

# %% tags=["solution"]
nearest = {}
for S, name in ((10, "rbc-s10"), (350, "rbc")):
    result = attack(load(f"{DATA}-{name}"), x[:50], y[:50], FAB(steps=20))
    nearest[S] = float(result.distance.median())
nearest

# %% tags=["check"]
assert None not in nearest.values(), "Exercise 2: set nearest[10] and nearest[350]."
assert all(0.01 < distance < 0.3 for distance in nearest.values()), "Exercise 2: a median, in pixel units, please."
growth = nearest[350] / nearest[10]
print(f"S is 35 times as large, the distance {growth:.2f} times")
assert 0.5 < growth < 2, "Exercise 2: the two distances should be of one size. Have you loaded the right systems?"

# %% [markdown]
# ## The same in the app
#
# The page "Train" sweeps S for you; in the attack lab the three shipped systems stand side by side.

# %%
systems = tuple(f"{DATA}-{key}" for key in ("rbc-s10", "rbc-s100", "rbc"))
print(Scenario(data=DATA, systems=systems).link("train"))
print(Scenario(data=DATA, systems=systems).link("attack_lab"))

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. Multiply all outputs of an RBC system by 1,000. What happens to its margins, its answers, and its training loss?
# 2. Two curves over S look alike: accuracy under own-loss PGD, and share of pictures with zero gradient. Explain.
# 3. INT has α and β. Which part of the argument of this notebook carries over, and which does not?
# 4. How would you compare S = 10 and S = 350 fairly?
#
# <details><summary>Answers</summary>
#
# 1. Margins × 1,000, answers unchanged. The loss becomes exactly 0 where every bit now reaches S: more masking.
# 2. A picture without a gradient is handed back as it was, and counted as right. The rest falls.
# 3. Stretching the whole line, α and β together, changes nothing. Their *ratio* matters: it decides how much is None.
# 4. Scale the output layer with S (or search the learning rate for each S), and attack the margin.
# </details>
#
# ## Further reading
#
# - Han, Li, Long, Ge (2020): *Learning Task-aware Robust Deep Learning Systems*. arXiv:2010.05125.
#   The section "Impact of S" and Figure 4.
# - Tsipras, Santurkar, Engstrom, Turner, Madry (2019): *Robustness May Be at Odds with Accuracy*. ICLR.
#   arXiv:1805.12152. The claim that the paper sets out to answer.
# - Moosavi-Dezfooli, Fawzi, Frossard (2016): *DeepFool: a simple and accurate method to fool deep neural networks*.
#   CVPR. arXiv:1511.04599. Distances to decision boundaries.
# - Croce, Hein (2020): *Minimally distorted Adversarial Examples with a Fast Adaptive Boundary Attack*. ICML.
#   arXiv:1907.02044. FAB.
