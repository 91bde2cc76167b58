# %% [markdown]
# # 10 · Decision regions: seeing every input of a system
#
# **After this notebook you can**
#
# - read a map of decision regions: which class is read where, where None is, and where a loss is flat;
# - explain why a system with one output draws stripes, whatever the network;
# - distinguish "the attack found no way" from "there is no way".
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 45 minutes | notebooks 01 and 03 | about 7 seconds, 6 with `FAST` |
#
# An image has hundreds of pixels, so nobody can see the decision regions of an image classifier as a whole. Here an
# input has two numbers, and you can look at *every* input there is.

# %% tags=["parameters"]
FAST = False  # True: fewer epochs and cells, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # the images of section 6; or "mnist", once `tasklab data mnist` has downloaded it

# %%
from urllib.parse import urlencode

import torch

from tasklab import ABNORMAL, FGSM, INT, PGD, RBC, TRA, Recipe, System, attack, fit, load, load_data, new_system
from tasklab.evaluation import outcomes
from tasklab.experiments.ground import ground
from tasklab.experiments.plane import cross_section, places, plane_trajectory, regions
from tasklab.experiments.scenario import Scenario
from tasklab.figures import outcome_stack
from tasklab.figures.cross_sections import cut
from tasklab.figures.ground import ground_figure
from tasklab.figures.regions import plane

train, test = (load_data("blobs", split, n=300, seed=SEED) for split in ("train", "test"))
x, y = test.x(), test.labels  # (N, 2) in the unit square, and (N,): classes 0 to 3, drawn as A to D
SIDE = 100 if FAST else 180

# %% [markdown]
# ## 1 · Three tasks, one network
#
# There are four clouds of points, one in each corner. The same small network is trained three times: to output four
# scores (TRA), one number (INT), and two bits (RBC).

# %%
def trained(task):
    system = new_system(task, train, arch="mlp", width=32, seed=SEED)
    recipe = Recipe(epochs=30 if FAST else 60, batch_size=50, lr=0.02, weight_decay=0.0, seed=SEED)
    for _event in fit(system, train, recipe):
        pass
    return system


systems = {task.name: trained(task) for task in (TRA(num_classes=4), INT(num_classes=4), RBC(num_classes=4))}
for name, system in systems.items():
    print(f"{name}: {int((system.predict(x) == y).sum())} of {len(y)} test points correct")

# %% tags=["check"]
assert all(float((s.predict(x) == y).float().mean()) > 0.93 for s in systems.values()), "All three should have learned."

# %% [markdown]
# Now each system classifies every point of the square. This is TRA's map.

# %%
seen = {name: regions(system, side=SIDE) for name, system in systems.items()}
plane(seen["tra"], points=x, labels=y, height=420)

# %% [markdown]
# The colour is the label that is read. Small arrows point in the direction in which the training loss grows, which is
# where an attack on the training loss goes.
#
# **Predict.** INT has a *single* output, with A, B, C, D on a line and gaps between them. Sketch its regions. For which
# share of the square is the answer None?

# %%
guess = None  # in percent

# %%
print("you said", guess, "and it is", round(100 * seen["int"].none_share), "%; for TRA", seen["tra"].none_share, "%")
plane(seen["int"], points=x, labels=y, height=420)

# %% tags=["check"]
assert seen["tra"].none_share == 0, "One of four scores is always the largest."
assert seen["int"].none_share > 0.05, "INT should leave part of the square without a class."  # ✓1

# %% [markdown]
# <details><summary>What you should see</summary>
#
# The regions are stripes, in the order A, B, C, D, with a hatched strip of None between neighbours [✓1]. In these
# strips the output passes through a gap of the line. There are no arrows for INT at all; section 3 comes back to that.
# </details>
#
# ## 2 · Why stripes?
#
# A network is a continuous function: its output cannot jump. Walk on a straight line from the middle of A to the
# middle of D. INT's output starts in the first interval and ends in the fourth.
#
# **Predict.** Which labels must INT read on the way, and in which order? Must the same happen with TRA?

# %%
guess = ""  # for example "A B D"

# %%
def order(section):
    met = torch.unique_consecutive(section.decoded).tolist()
    return " ".join("·" if k == ABNORMAL else "ABCD"[k] for k in met)


a, d = (train.x()[train.labels == label].mean(dim=0) for label in (0, 3))
walks = {name: cross_section(system, a, d, 0, n=2001) for name, system in systems.items()}
for name, section in walks.items():
    print(f"{name}: {order(section)}")
cut(walks["int"])

# %% tags=["check"]
assert set(walks["int"].decoded.tolist()) == {ABNORMAL, 0, 1, 2, 3}, "INT has to pass every class, and None."  # ✓2
classes = order(walks["int"]).split("·")  # what is read between one None and the next
assert all(len(each.split()) == 1 for each in classes), "Between any two classes of INT there is a gap."  # ✓3

# %% [markdown]
# <details><summary>What you should see</summary>
#
# `A · B · C · D`, where a dot is None: a continuous number that goes from the first interval to the fourth takes
# *every* value between them [✓2]. That is the intermediate value theorem, and no training gets around it. Between any
# two classes lies None [✓3]. TRA and RBC may pass through B and C, but need not.
# </details>
#
# ## 3 · Where the loss is flat
#
# In these figures, *full* colour (with dots) means that the gradient of the training loss is exactly 0 there. *Faint*
# colour (with arrows) means that there is a gradient.
#
# **Predict.** Of the area that is read as a class, which share is flat for TRA, for INT and for RBC?

# %%
guess = {"tra": None, "int": None, "rbc": None}  # in percent

# %%
for name, system in systems.items():
    margin = regions(system, side=SIDE, objective="margin")
    print(f"{name}: flat for the training loss {seen[name].flat_share:.1%}, for the margin {margin.flat_share:.1%}")
plane(seen["rbc"], points=x, labels=y, height=420)

# %% tags=["check"]
assert seen["tra"].flat_share < 0.01 and seen["int"].flat_share == 1 and seen["rbc"].flat_share > 0.5  # ✓4
assert all(regions(s, side=50, objective="margin").flat_share < 0.05 for s in systems.values())  # ✓5

# %% [markdown]
# <details><summary>What you should see</summary>
#
# For TRA hardly anything is flat, and for RBC most of the area is [✓4]. Only a faint seam along RBC's boundaries has a
# gradient: there, some bit has not reached S. For INT *all* of the area is flat, by definition [✓4]. Its loss is 0 as
# soon as the output is in the interval, and being in the interval is what "read as that class" means. The margin has a
# gradient nearly everywhere, for all three [✓5].
# </details>
#
# ## 4 · Two attacks on one point
#
# Take the test point with RBC's median margin. PGD may move it by 0.3 along each axis. One attack climbs the training
# loss, the other minus the margin.
#
# **Predict.** Where does each of them end?

# %%
def pgd(objective, eps=0.3, **more):
    return PGD(eps=eps, steps=20, step_size=eps / 10, random_start=False, objective=objective, **more)


rbc = systems["rbc"]
margins = rbc.margins(x).detach().gather(1, y[:, None]).squeeze(1)
typical = int(margins.argsort()[len(y) // 2])
trajectories = [plane_trajectory(rbc, x[typical], int(y[typical]), pgd(objective)) for objective in ("train", "margin")]
for each in trajectories:
    print(f"{each.objective:6} moved: {each.moved}, gradient always 0: {each.zero_gradient}, left: {each.crossed}")
plane(seen["rbc"], trajectories=trajectories, eps=0.3, height=420)

# %% tags=["check"]
own, aimed = trajectories
assert own.zero_gradient and not own.moved, "The training loss should have no gradient here."
assert aimed.crossed and not aimed.zero_gradient, "The margin should lead across the boundary."

# %% [markdown]
# The dotted square shows how far ε lets the point go: well across the boundary, so *there is* a way. The next figure is
# a cut through the plane, along the line from the start to the end of the attack on the margin, and as far again.

# %%
start, end = aimed.points[0], aimed.points[-1]
section = cross_section(rbc, start, (start + 2 * (end - start)).clamp(0, 1), aimed.label)
print(f"label lost at {section.edge:.2f}; loss flat on {float(section.flat.float().mean()):.0%} of the way")
cut(section, reach=float((end - start).norm()))

# %% tags=["check"]
assert bool(section.flat[0]), "The attack on the training loss starts where the loss is flat."
assert section.edge is not None, "The label should be lost on the way."
flat_until = float(section.distance[section.flat.logical_not()][0])
assert flat_until < section.edge, (  # ✓6
    "The loss should begin to rise before the label is lost, but not where the attack starts.")

# %% [markdown]
# <details><summary>What you should see</summary>
#
# The thick part of the loss curve is exactly flat. Further along the way, but before the label is lost, the loss has a
# gradient that would show the way [✓6]. An attack that climbs the loss starts where it is flat, so it has no direction
# for its first step.
# </details>
#
# ## 5 · All points
#
# **Predict.** Now attack all 300 test points with ε = 0.3. How many does INT classify correctly after the attack on the
# training loss, and how many after the one on the margin? And what becomes of the others: another class, or None?

# %%
guess = {"training loss": None, "margin": None}  # out of 300

# %%
found = {(name, o): attack(s, x, y, pgd(o)) for name, s in systems.items() for o in ("train", "margin")}
outcome_stack([(f"{name}, {o}", outcomes(result.decoded, y)) for (name, o), result in found.items()], legend=True)

# %% tags=["check"]
for name in ("int", "rbc"):
    assert found[name, "train"].accuracy > 0.9, "Points where the loss is flat do not move."
    assert found[name, "margin"].accuracy < 0.5, "Another answer is within reach of most of them."  # ✓7
assert abs(found["tra", "train"].accuracy - found["tra", "margin"].accuracy) < 0.15, (  # ✓7
    "For TRA both objectives should succeed about equally often.")
counts = outcomes(found["int", "margin"].decoded, y)
assert counts.abnormal > 2 * counts.wrong, "Most of the points that INT loses become None."  # ✓8
assert found["tra", "margin"].accuracy < 0.5  # ✓7

# %% [markdown]
# <details><summary>What you should see</summary>
#
# None of the three systems withstands the attack on the margin: for each of them, most points are within 0.3 of a
# boundary [✓7]. INT and RBC only *look* robust under the attack on the training loss. Most of the points that INT loses
# end as None, because the gap comes first, and this attack stops at its first success [✓8].
# </details>
#
# Is None at least a defence? Suppose that an attack succeeds only if another *class* is read: `criterion="evaded"`.
#
# **Predict.** How many points end beyond the gap?

# %%
through = attack(systems["int"], x, y, pgd("margin", criterion="evaded"))
outcome_stack([("any wrong answer", counts), ("another class", outcomes(through.decoded, y))], legend=True)

# %% tags=["check"]
beyond = outcomes(through.decoded, y)
assert beyond.wrong > 0.5 * len(y), "Most points should be led through the gap into the next stripe."  # ✓9
assert beyond.wrong > 5 * counts.wrong, "Far more than by an attack that stops in the gap."  # ✓9

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Most points end beyond the gap: it is a narrow strip, and nothing makes an attack stop in it [✓9]. It raises an alarm
# only for points that happen to end there.
# </details>
#
# ## 6 · Back to images
#
# We cannot draw regions for all images, but we can find out for each test image whether the loss is flat there.
#
# **Predict.** For which share of the test images is the gradient of the training loss exactly 0?

# %%
guess = {"tra": None, "int": None, "rbc": None}  # in percent

# %%
images = load_data(DATA, "test").subset(100 if FAST else 300)
flat = {}
for name in ("tra", "int", "rbc"):
    result = attack(load(f"{DATA}-{name}"), images.x(), images.labels, FGSM(eps=0.1, objective="train"))
    flat[name] = result.share(result.zero_gradient)
    print(f"{name}: {flat[name]:.0%} of the images that are classified correctly have no gradient")

# %% tags=["check"]
assert flat["tra"] < 0.05 and flat["int"] > 0.95 and flat["rbc"] > 0.4, "Images show the same order as points."

# %% [markdown]
# One plane through an image can be drawn, though. Its horizontal direction is that of an attack on the margin. Its
# vertical direction is that of an attack on the training loss or, where that attack does not move, a random one. The
# image is in the middle.

# %%
index = int(result.zero_gradient.nonzero()[0])  # RBC's loss is flat here
one, label = images.x(index), images.labels[index : index + 1]
under = ground(load(f"{DATA}-rbc"), one, label, PGD(eps=0.2, steps=10, random_start=False), side=11 if FAST else 33)
ground_figure(under, classes=images.classes)

# %% tags=["check"]
margin, train_loss = under.paths
assert train_loss.zero_gradient and not train_loss.moved, "Where the loss is flat, the attack on it does not move."
assert margin.crossed, "The boundary is within reach all the same."

# %% [markdown]
# ## Exercise 1 · The flat share from scratch (10 minutes)
#
# Write `flat_share(system, side)`: of the points of a grid that are read as a class, the share at which the gradient
# of the training loss is exactly 0. As the label of a point, take the one that is read there. `places(side)` holds the
# grid, `(side², 2)`; points that are read as `ABNORMAL` do not count.
#
# *Hint.* Which points count? `fgsm` in notebook 03 shows how to get a gradient. When is a gradient of two numbers 0?

# %% tags=["exercise"]
def flat_share(system, side):
    return 0  # replace this line


# %% tags=["solution"]
def flat_share(system, side):
    grid = places(side)
    label = system.predict(grid)
    grid, label = grid[label != ABNORMAL], label[label != ABNORMAL]
    leaf = grid.clone().requires_grad_()
    loss = system.task.loss(system.outputs(leaf), label).sum()
    (gradient,) = torch.autograd.grad(loss, leaf)
    return float((gradient == 0).all(dim=1).float().mean())


# %% tags=["check"]
for name, system in systems.items():
    mine, theirs = flat_share(system, 60), regions(system, side=60).flat_share
    assert abs(mine - theirs) < 1e-3, f"Exercise 1: for {name} you find {mine:.1%}, tasklab finds {theirs:.1%}."

# %% [markdown]
# ## Exercise 2 · A system that often says None (8 minutes)
#
# INT's intervals have length β, and the gaps between them length α. Find α and β so that a freshly trained INT reads at
# least 20 % of the square as None, and still classifies at least 90 % of the test points correctly.
#
# *Hint.* The defaults are α = 4 and β = 16. Does it help to double both? Try it, and think of the scaled output layer.

# %% tags=["exercise"]
mine = INT(num_classes=4, alpha=4, beta=16)  # change alpha, beta or both

# %% tags=["solution"]
mine = INT(num_classes=4, alpha=16, beta=4)

# %% tags=["check"]
shy = trained(mine)
share, correct = regions(shy, side=60).none_share, float((shy.predict(x) == y).float().mean())
print(f"None on {share:.0%} of the square; {correct:.0%} of the test points correct, "
      f"{attack(shy, x, y, pgd('margin', criterion='evaded')).accuracy:.0%} after an attack")
assert share >= 0.2, f"Exercise 2: only {share:.0%} of the square is None. What counts is the *ratio* of α to β."
assert correct >= 0.9, f"Exercise 2: only {correct:.0%} of the test points are correct. Now the gaps are too wide."

# %% [markdown]
# ## Exercise 3 · INT without None (5 minutes)
#
# The paper's decoding formula, applied without its condition, assigns each gap to the class below it (`gap="floor"`;
# see notebook 01). Turn the INT system trained above into one that has no None between its stripes, *without training*.
#
# *Hint.* A system is a network and a task. Which of the two knows about None?

# %% tags=["exercise"]
floored = System(systems["int"].network, INT(num_classes=4))  # change something here

# %% tags=["solution"]
floored = System(systems["int"].network, INT(num_classes=4, gap="floor"))

# %% tags=["check"]
other = regions(floored, side=SIDE)
assert other.none_share < 0.02, (
    f"Exercise 3: {other.none_share:.0%} of the square is still None. The task decides what a gap means.")
was_read = ~seen["int"].none
assert torch.equal(other.decoded[was_read], seen["int"].decoded[was_read]), "Exercise 3: the stripes should stay."
print("The decoder decides what None is. The network knows nothing about it.")

# %% [markdown]
# ## The same in the app
#
# The page "Regions" shows the regions while a system is trained, also on moons, circles and spirals. Click a point to
# attack it.

# %%
shown = urlencode({"regions_tasks": ["INT", "RBC"], "regions_eps": 0.3}, doseq=True)
print(Scenario().link("regions") + "?" + shown)

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. Why can INT never have A and C as neighbours? Does a deeper network help?
# 2. RBC's faint seam lies along its boundaries. How would it look if training had stopped after one epoch?
# 3. A random start moves each point by up to ε before the first step. What does that change for RBC, and for INT?
# 4. Two attacks, one point. One stays, the other leaves. Which of them says something about the system?
#
# <details><summary>Answers</summary>
#
# 1. Its output is continuous and has to pass through B's interval on the way. Depth changes the shape of the stripes,
#    not their order.
# 2. Few points would have reached S, so most of the area would be faint. Then attacks on the training loss work better.
# 3. For RBC some points start in the seam and find a gradient. For INT a start that is still classified correctly finds
#    none, so the attack succeeds only where the random start itself has left the interval.
# 4. The one that leaves: it shows an input that is misclassified. That the other one stays says something only about
#    the loss that it climbed.
# </details>
#
# ## Further reading
#
# - [@han2020] Equation 1: the intervals.
# - [@goodfellow2015]
# - [@athalye2018]
# - [@chow1970] What it costs to say None.
