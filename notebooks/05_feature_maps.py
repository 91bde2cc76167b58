# %% [markdown]
# # 5 · Feature maps: what they show, and what they do not
#
# **After this notebook you can**
#
# - draw the features of many images as a map, with t-SNE and with PCA, and measure how far you can trust it;
# - place attacked images on a finished map, and follow one image during an attack;
# - say which conclusions such a map allows, and why "far apart on the map, therefore robust" is not one of them.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 50 minutes | notebooks 00 and 03 | about 8 seconds, 7 with `FAST` (MNIST: 14) |
#
# Figure 3 of the paper shows such maps. The paper concludes that with RBC and INT the distances between features of
# different classes "are more significant", and that this is "the reason why" both are more robust. Does the figure show
# that?

# %% tags=["parameters"]
FAST = False  # True: fewer images, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # or "mnist", once `tasklab data mnist` has downloaded it

# %%
import numpy as np
import torch
from sklearn.neighbors import KNeighborsClassifier

from tasklab import PGD, attack, load, load_data, stream
from tasklab.embedding import PCA, TSNE, embed, neighbour_accuracy, read_features, read_outputs, trustworthiness
from tasklab.experiments.scenario import Scenario
from tasklab.figures import Landed, Stops, feature_map
from tasklab.models.fast import PLAIN

IMAGE = {"digits": 54, "mnist": 22}[DATA]
test = load_data(DATA, "test").subset(200 if FAST else 400)
x, y = test.x(), test.labels  # (N, 1, H, W) in [0, 1], and (N,)
systems = {name: load(f"{DATA}-{name}") for name in ("tra", "deepbe", "rbc", "int")}
tsne = TSNE(perplexity=10, seed=SEED)

# %% [markdown]
# ## 1 · What is a feature?
#
# A network is a long chain of layers. If we cut it just before the last layer, what comes out are the *features* of an
# image. All that follows is one linear layer.
#
# **Predict.** Can you compute the outputs from the features alone? How many numbers describe an image before the
# network, and how many at the cut?

# %%
rbc = systems["rbc"]
with torch.no_grad():
    features = rbc.features(x)  # (N, D)
    outputs = rbc.network.forward_head(features)  # (N, 4)
print(f"{x[0].numel()} pixels -> {features.shape[1]} features -> {outputs.shape[1]} outputs")

# %% tags=["check"]
assert torch.allclose(outputs, rbc.read(x), rtol=1e-4, atol=1e-2), "The last layer needs nothing but the features."

# %% [markdown]
# ## 2 · A map
#
# t-SNE moves points about in the plane until images whose features are neighbours are neighbours in the plane, too. It
# never sees a label.
#
# **Predict.** Which share of the images will lie among images of their own class? And which share if t-SNE is given the
# *pixels* instead?

# %%
guess = {"features": None, "pixels": None}  # in percent

# %%
read = {name: read_features(system, x) for name, system in systems.items()}  # (N, D) each
maps = {name: embed(read[name], tsne) for name in ("tra", "deepbe", "rbc")}
of_pixels = embed(x.flatten(1).numpy(), tsne)
for name, positions in (("features", maps["rbc"].positions), ("pixels", of_pixels.positions)):
    print(f"{name}: {neighbour_accuracy(positions, y.numpy()):.1%} lie among their own class")
feature_map(maps["rbc"].positions, y, test.classes)

# %% tags=["check"]
assert neighbour_accuracy(maps["rbc"].positions, y.numpy()) > 0.93, (  # ✓1 ✓2
    "RBC's features should keep the classes apart.")
assert trustworthiness(read["rbc"], maps["rbc"].positions) > 0.95, "Neighbours on the map are neighbours before."
assert neighbour_accuracy(of_pixels.positions, y.numpy()) > 0.75, "The pixels alone keep most of them apart."  # ✓2

# %% [markdown]
# <details><summary>What you should see</summary>
#
# There is an island for each digit [✓1]. But look at the pixels: their neighbourhoods already separate most of the
# classes [✓2]. So a beautiful map says little in favour of a network. The check also computes the map's
# *trustworthiness*, which tells whether points that are close on the map have features that are close as well: it is 1
# if they always have. It says nothing about points that are *far* apart.
# </details>
#
# ## 3 · How far is far?
#
# Now we cheat. We take one class and push its features away from all others, by *ten times* the size of the whole
# cloud, all in one direction. Then PCA and t-SNE draw the result.
#
# **Predict.** How much further away does that class end up, on the plane of PCA, and on the map of t-SNE?

# %%
guess = {"PCA": "", "t-SNE": ""}  # for example "10 times", "not at all"

# %%
def distance(positions):
    one, rest = positions[y.numpy() == 0], positions[y.numpy() != 0]
    spread = np.linalg.norm(rest - rest.mean(axis=0), axis=1).mean()
    return float(np.linalg.norm(one.mean(axis=0) - rest.mean(axis=0)) / spread)


size = np.linalg.norm(read["rbc"] - read["rbc"].mean(axis=0), axis=1).mean()
pushed = read["rbc"].copy()
pushed[y.numpy() == 0, 0] += 10 * size
far = {kind: embed(pushed, settings) for kind, settings in (("PCA", PCA()), ("t-SNE", tsne))}
before = {"PCA": distance(embed(read["rbc"], PCA()).positions), "t-SNE": distance(maps["rbc"].positions)}
for kind, drawn in far.items():
    print(f"{kind}: before {before[kind]:.1f}, after {distance(drawn.positions):.1f} times the spread of the others")
feature_map(far["t-SNE"].positions, y, test.classes)

# %% tags=["check"]
assert distance(far["PCA"].positions) > 10, "On the plane of PCA the class should be far away."  # ✓3
assert distance(far["t-SNE"].positions) < 4, "On the map of t-SNE it should lie where a class lies."  # ✓4

# %% [markdown]
# <details><summary>What you should see</summary>
#
# PCA draws the class far off [✓3]. On the map of t-SNE it is an island like the others, about as far away as islands
# are [✓4]. t-SNE keeps *neighbours*, not distances. So a map of t-SNE does not tell us how far apart classes are, let
# alone how large a margin is. The paper's sentence is about a quantity that its figure does not contain.
#
# And what if the features *were* far apart? Multiply all features by 1,000 and divide the last layer's weights by
# 1,000. Every distance is 1,000 times as large, and every image is classified as before.
# </details>
#
# ## 4 · One image during an attack
#
# A finished map can take in further points: each is placed among its nearest neighbours. So we attack one image, and
# place every iterate of PGD on TRA's map.
#
# **Predict.** PGD takes ten steps of equal length. Will the stops be evenly spaced?

# %%
tra = systems["tra"]
one = slice(IMAGE, IMAGE + 1)
pgd = PGD(eps=0.2, steps=10, random_start=False, keep="last", objective="margin", plan=PLAIN)
iterates = torch.cat([step.images for step in stream(tra, x[one], y[one], pgd)])  # (11, 1, H, W)
path = maps["tra"].place(read_features(tra, iterates))  # (11, 2)
stops = Stops(positions=path, decoded=tra.predict(iterates), label=int(y[IMAGE]))
feature_map(maps["tra"].positions, y, test.classes, stops=stops)

# %%
def largest_step(positions):
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    return float(steps.max() / steps.sum())


straight = embed(read["tra"], PCA())
paths = {"t-SNE": path, "PCA": straight.place(read_features(tra, iterates))}
for kind, positions in paths.items():
    print(f"{kind}: the largest of ten steps is {largest_step(positions):.0%} of the path")
feature_map(straight.positions, y, test.classes,
            stops=Stops(positions=paths["PCA"], decoded=tra.predict(iterates), label=int(y[IMAGE])))

# %% tags=["check"]
assert int(tra.predict(iterates[-1:])) != int(y[IMAGE]), "At the end the image should be misclassified."
assert largest_step(paths["t-SNE"]) > largest_step(paths["PCA"]) + 0.15, "On t-SNE's map it should jump."  # ✓5

# %% [markdown]
# <details><summary>What you should see</summary>
#
# On the map of t-SNE the largest of the ten steps is a jump, much larger than on the plane of PCA [✓5]: between islands
# there are no neighbours among which the image could be placed. On the plane of PCA it moves more evenly, but there the
# classes overlap. These are two views of one path, and neither of them shows the decision boundary.
# </details>
#
# ## 5 · Many images during an attack
#
# Attack all of them, and place the results on the maps. We do it twice. `keep="last"` takes all ten steps, as in
# section 4. `keep="first"`, the default, stops at the first step after which the image is misclassified.
#
# **Predict.** Where will the images lie that are now misclassified: among their *own* class, or among the class that
# they are *classified as*? Does it depend on when the attack stops?

# %%
guess = {"first": "", "last": ""}  # "own" or "classified as"

# %%
def landed(name, keep):
    system, chart = systems[name], maps[name]
    settings = PGD(eps=0.2, steps=10, random_start=False, keep=keep, objective="margin", plan=PLAIN)
    result = attack(system, x, y, settings)
    there = chart.place(read_features(system, result.images))
    around = KNeighborsClassifier(5).fit(chart.positions, y.numpy()).predict(there)
    wrong = (result.fooled & (result.decoded >= 0)).numpy()
    own, other = (((around == labels.numpy())[wrong]).mean() for labels in (y, result.decoded))
    print(f"{name:6} {keep:5}: {result.fooled.sum()} of {len(y)} fooled; of those in another class, {own:4.0%} lie "
          f"among their own class, {other:4.0%} among the class that they are classified as")
    return Landed(rows=np.arange(len(y)), positions=there, decoded=result.decoded), own, other


ended = {(name, keep): landed(name, keep) for name in ("tra", "deepbe", "rbc") for keep in ("first", "last")}

# %% [markdown]
# Here is the map of DeepBE, first when the attack stops at its first success, then when it goes on:

# %%
feature_map(maps["deepbe"].positions, y, test.classes, landed=ended["deepbe", "first"][0], colour="outcome",
            decoded=systems["deepbe"].predict(x), legend=True)

# %%
feature_map(maps["deepbe"].positions, y, test.classes, landed=ended["deepbe", "last"][0], colour="outcome",
            decoded=systems["deepbe"].predict(x), legend=True)

# %% tags=["check"]
own, other = ({key: values[i] for key, values in ended.items()} for i in (1, 2))
assert all((end[0].decoded != y).float().mean() > 0.85 for end in ended.values()), "Nearly all are misclassified."  # ✓9
for name in ("tra", "deepbe", "rbc"):
    assert own[name, "first"] >= own[name, "last"], "An attack that goes on leaves fewer images among their own class."
    assert other[name, "last"] > 0.45 > own[name, "last"], "After all steps more should lie in the other class."  # ✓8
assert own["deepbe", "first"] > own["deepbe", "last"] + 0.25, "It should matter when the attack stops."  # ✓6 ✓7
if DATA == "digits" and not FAST:
    assert own["deepbe", "first"] > 0.6 > own["rbc", "first"] > 0.35 > 0.2 > own["tra", "first"] > 0.05  # ✓7

# %% [markdown]
# <details><summary>What you should see</summary>
#
# It depends on when the attack stops [✓6]. An attack that stops at its first success leaves the image just beyond the
# decision boundary, and "just beyond" can still be nearest to the images of its own class: that is so for most of
# DeepBE's images, for nearly half of RBC's, and for about one in eight of TRA's (on digits) [✓7]. If the attack goes
# on, with the same ε, the share of images that lie on the island of the class that they are classified as is larger
# than the share that stay on their own [✓8].
#
# In both cases nearly all images are misclassified [✓9]. So if an attacked image lies in the middle of its own island,
# the boundary runs through that island, or close to it. The map cannot show the boundary, since t-SNE never sees the
# last layer. Why so many of DeepBE's images stay among their own class and so few of TRA's, one system of each kind
# cannot tell us. You can explore it in exercise 4.
# </details>
#
# ## 6 · Where the decision is made
#
# INT's output is one number. So its output space can be drawn without losing anything: it is a line, and the intervals
# can be drawn along it. (The height means nothing. It only keeps points from covering each other.)
#
# **Predict.** Where will the attacked images lie that INT reads as None?

# %%
interval = systems["int"]
line = embed(read_outputs(interval, x), PCA())
result = attack(interval, x, y, PGD(eps=0.2, steps=10, random_start=False, objective="margin", plan=PLAIN))
rows = np.arange(len(y))
ends = Landed(rows=rows, positions=line.place(read_outputs(interval, result.images), rows), decoded=result.decoded)
feature_map(line.positions, y, test.classes, decoded=interval.predict(x), landed=ends, colour="outcome",
            line=interval.task, legend=True)

# %% tags=["check"]
where = torch.from_numpy(ends.positions[:, :1]).float()
assert torch.equal(interval.task.codec.decode(where), result.decoded), "On this map the place *is* the decision."  # ✓10

# %% [markdown]
# <details><summary>What you should see</summary>
#
# They lie exactly between the coloured bands, or beyond the ends of the line. On this map a position can be decoded
# without the image [✓10]. So this map can tell you about boundaries. A map of features cannot.
# </details>

# %% [markdown]
# ## Exercise 1 · Nearest neighbours (8 minutes)
#
# Write `nearest_agrees(points, labels)`: the share of points whose *nearest other* point has the same label. Both
# arguments are tensors, `(N, D)` and `(N,)`.
#
# *Hint.* `torch.cdist(points, points)` holds all distances, `(N, N)`. Which entry of each row must not be chosen?

# %% tags=["exercise"]
def nearest_agrees(points, labels):
    return 0  # replace this line


# %% tags=["solution"]
def nearest_agrees(points, labels):
    apart = torch.cdist(points, points).fill_diagonal_(torch.inf)
    return float((labels[apart.argmin(dim=1)] == labels).float().mean())


# %% tags=["check"]
for positions in (maps["rbc"].positions, of_pixels.positions, straight.positions):
    mine, theirs = nearest_agrees(torch.from_numpy(positions), y), neighbour_accuracy(positions, y.numpy(), k=1)
    assert mine < 1 or theirs == 1, "Exercise 1: a point is not its own neighbour. Look at the diagonal."
    assert abs(mine - theirs) < 0.006, f"Exercise 1: you find {mine:.1%}, tasklab finds {theirs:.1%}."

# %% [markdown]
# ## Exercise 2 · PCA in three lines (10 minutes)
#
# PCA subtracts the mean and looks along the two directions in which the points spread most. These are the first two
# *rows* of `vh` in `u, s, vh = torch.linalg.svd(centred, full_matrices=False)`. Write `pca(points)`, from `(N, D)` to
# `(N, 2)`.
#
# *Hint.* How far a point lies along a direction is a scalar product. A matrix product does it for all points at once.

# %% tags=["exercise"]
def pca(points):
    return points[:, :2]  # replace this line


# %% tags=["solution"]
def pca(points):
    centred = points - points.mean(dim=0)
    _, _, vh = torch.linalg.svd(centred, full_matrices=False)
    return centred @ vh[:2].T


# %% tags=["check"]
mine = pca(torch.from_numpy(read["tra"]).double()).numpy()
assert mine.shape == straight.positions.shape, "Exercise 2: `pca` should return two numbers for each point."
apart = np.abs(np.abs(mine) - np.abs(straight.positions)).max()  # an axis may point either way
assert apart < 1e-3 * np.abs(straight.positions).max(), (
    "Exercise 2: this is not the plane of PCA yet. Have you subtracted the mean, and used the rows of vh?")

# %% [markdown]
# ## Exercise 3 · The same map in disguise (5 minutes)
#
# What may be done to a map without changing what it says? Write `disguised(positions)`: *every* point should end
# somewhere else, by at least 1, but each point should have the same neighbours as before.
#
# *Hint.* There are many ways. Think of what you may do with a printed map and still find your way.

# %% tags=["exercise"]
def disguised(positions):
    return positions  # replace this line


# %% tags=["solution"]
def disguised(positions):
    reach = np.abs(positions).max()
    return positions[:, ::-1] * [1, -1] + [3 * reach + 1, 0]  # turned by a right angle, then pushed aside


# %% tags=["check"]
plain, other_map = maps["rbc"].positions, disguised(maps["rbc"].positions)
assert np.shape(other_map) == plain.shape, "Exercise 3: return one position for each point."
shift = np.linalg.norm(other_map - plain, axis=1).min()
assert shift >= 1, f"Exercise 3: some point has moved by only {shift:.2g}."
kept = [trustworthiness(plain, other_map, k=1), trustworthiness(other_map, plain, k=1)]
assert min(kept) > 0.9999, "Exercise 3: some points have new neighbours."
print("the axes, the orientation and the size of a map mean nothing")

# %% [markdown]
# ## Exercise 4 · Open-ended: what decides where an image ends up? (homework)
#
# Section 5 left a question open: what decides whether a misclassified image lies among its own class? Change *one*
# thing (ε, the number of steps, the objective, the system, the seed of t-SNE, or neighbours among the features instead
# of on the map), predict what will happen, measure it, and say what follows. Write down all four in `report`. There is
# no single right answer: the check only makes sure that nothing is missing.
#
# *Hint.* `landed` shows how to measure one setting. More than one system or seed makes a conclusion stronger.

# %% tags=["exercise"]
report = {"changed": "", "predicted": "", "measured": {}, "concluded": ""}  # three texts, and numbers by their names

# %% tags=["solution"]
neighbours, measured = KNeighborsClassifier(5).fit(read["deepbe"], y.numpy()), {}
for keep in ("first", "last"):
    result = attack(systems["deepbe"], x, y, PGD(eps=0.2, steps=10, random_start=False, keep=keep, plan=PLAIN))
    wrong = (result.fooled & (result.decoded >= 0)).numpy()
    home = neighbours.predict(read_features(systems["deepbe"], result.images)) == y.numpy()
    measured[keep] = float(home[wrong].mean())
report = {
    "changed": "Neighbours among DeepBE's features instead of its map.",
    "predicted": "If t-SNE caused the difference between first and last, it should vanish here.",
    "measured": measured,
    "concluded": "It does not vanish: the features themselves stay among their own class when the attack stops early.",
}

# %% tags=["check"]
for part in ("changed", "predicted", "concluded"):
    assert len(str(report.get(part, "")).split()) >= 4, f"Exercise 4: write a sentence into report['{part}']."
numbers = report.get("measured")
assert isinstance(numbers, dict) and len(numbers) >= 2, "Exercise 4: compare at least two measurements, by their names."
assert all(isinstance(value, int | float) for value in numbers.values()), "Exercise 4: measurements are numbers."
print(report["concluded"])

# %% [markdown]
# ## The same in the app
#
# The page "Feature map" shows how the map forms. Draw a lasso around points to see their images.

# %%
scenario = Scenario(data=DATA, image=IMAGE, objectives=("margin",), eps=0.2, steps=10, n=len(test))
for key in ("tra", "deepbe"):
    print(scenario.link("feature_map") + f"&feature_map_system={key}")

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. "On the map, RBC's classes are long and narrow, and far apart. So RBC is robust." What is wrong with each half?
# 2. A map with perplexity 5 shows 14 islands for 10 classes. Are there 14 kinds of digits?
# 3. An attacked image lies in the middle of its own class on the map. Is it harmless?
# 4. Which map of this notebook would you use to judge how close an image is to a boundary? Why?
#
# <details><summary>Answers</summary>
#
# 1. Shapes of islands and distances between them are made by t-SNE. And distances among features can be multiplied at
#    will without changing an answer: robustness is about distances between *images*.
# 2. Not necessarily. With few neighbours, groups fall apart. Draw it with other perplexities, and look at the images.
# 3. No. Where an attack stops at its first success, most of DeepBE's misclassified images lie among their own class
#    (section 5).
# 4. The line of INT's outputs, since there a position says which class is read. But even that line does not say how
#    much an *image* has to change; to find that out, one has to attack.
# </details>
#
# ## Further reading
#
# - [@maaten2008]
# - [@wattenberg2016] An interactive introduction.
# - [@venna2001] Trustworthiness.
# - [@policar2024] How new points are placed on a finished map.
# - [@han2020] Figure 3 and the text around it.
