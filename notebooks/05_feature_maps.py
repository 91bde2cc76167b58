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
# # 5 · Feature maps: what they show, and what they do not
#
# **After this notebook you can**
#
# - draw the features of many pictures as a map, with t-SNE and with PCA, and measure how far to believe it;
# - place attacked pictures on a finished map, and follow one on its way;
# - say which conclusions such a map allows, and why "far apart on the map, therefore robust" is none of them.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 50 minutes | notebooks 00 and 03 | about 7 seconds, 6 with `FAST` (MNIST: 12) |
#
# Figure 3 of the paper shows such maps. It is read there that with RBC and INT the distances between features of
# different classes "are more significant", and that this is "the reason why" both are more robust. Let us look.

# %% tags=["parameters"]
FAST = False  # True: fewer images, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # or "mnist", once `tasklab data mnist` has brought it

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
# A network is a long chain of layers. Cut it just before the last one. What comes out there are the *features* of a
# picture. All that follows is one linear layer.
#
# **Predict.** Can you compute the outputs from the features alone? How many numbers has a picture before, and after?

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
# t-SNE moves points of a plane about until pictures that are neighbours among the features are neighbours there, too.
# It never sees a label.
#
# **Predict.** How many of the pictures will lie among pictures of their own class? And if t-SNE is given the *pixels*?

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
assert neighbour_accuracy(maps["rbc"].positions, y.numpy()) > 0.93, "RBC's features should keep the classes apart."
assert trustworthiness(read["rbc"], maps["rbc"].positions) > 0.95, "Neighbours on the map are neighbours off it."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# An island for each digit. But look at the pixels: their neighbourhoods already know most of the classes. A beautiful
# map is a weak compliment for a network. Trustworthiness asks whether who is near on the map is near among the features
# as well: 1 if always. It says nothing about who is *far*.
# </details>
#
# ## 3 · How far is far?
#
# Now we cheat. We take one class and push its features *ten times* the size of the whole cloud away, all in one
# direction. Both methods draw the result.
#
# **Predict.** How much further away does that class get, on the plane of PCA, and on the map of t-SNE?

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
assert distance(far["PCA"].positions) > 10, "On the plane of PCA the class should be far away."
assert distance(far["t-SNE"].positions) < 4, "On the map of t-SNE it should lie where a class lies."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# PCA draws it off in the distance. On the map of t-SNE it is an island like the others, about as far as islands are.
# t-SNE keeps *neighbours*, not distances. So from a map of t-SNE nothing can be read about how far classes are apart,
# and least of all a margin. The paper's sentence is about a quantity that the figure does not contain.
#
# And if the features *were* far apart: multiply all features by 1,000 and divide the last layer's weights by 1,000.
# Every distance is 1,000 times as large, and every picture is read as before.
# </details>
#
# ## 4 · One picture on its way
#
# A finished map can take in further points: each is laid among its nearest neighbours. So we attack one picture, and
# place every iterate of PGD on TRA's map.
#
# **Predict.** PGD takes ten steps of equal length. Will the stops be evenly spaced?

# %%
tra = systems["tra"]
one = slice(IMAGE, IMAGE + 1)
pgd = PGD(eps=0.2, steps=10, random_start=False, keep="last", objective="margin", plan=PLAIN)
iterates = torch.cat([step.images for step in stream(tra, x[one], y[one], pgd)])  # (11, 1, H, W)
way = maps["tra"].place(read_features(tra, iterates))  # (11, 2)
stops = Stops(positions=way, decoded=tra.predict(iterates), label=int(y[IMAGE]))
feature_map(maps["tra"].positions, y, test.classes, stops=stops)

# %%
def largest_step(positions):
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    return float(steps.max() / steps.sum())


straight = embed(read["tra"], PCA())
ways = {"t-SNE": way, "PCA": straight.place(read_features(tra, iterates))}
for kind, positions in ways.items():
    print(f"{kind}: the largest of ten steps is {largest_step(positions):.0%} of the way")
feature_map(straight.positions, y, test.classes,
            stops=Stops(positions=ways["PCA"], decoded=tra.predict(iterates), label=int(y[IMAGE])))

# %% tags=["check"]
assert int(tra.predict(iterates[-1:])) != int(y[IMAGE]), "At the end the picture should be misread."
assert largest_step(ways["t-SNE"]) > largest_step(ways["PCA"]) + 0.15, "On t-SNE's map it should jump."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# On the map of t-SNE the picture stays, jumps, and stays: between islands there is no place where a neighbour is.
# On the plane of PCA it walks, but there the classes cover each other. Two shadows of one way, and neither has a
# boundary in it.
# </details>
#
# ## 5 · Many pictures on their way
#
# Attack all of them, and place the results. Nearly all are misread now.
#
# **Predict.** Will they lie among pictures of their *own* class, or among those of the class that they are *read* as?
# For TRA, and for DeepBE.

# %%
guess = {"tra": "", "deepbe": ""}  # "own" or "read"

# %%
def landed(name):
    system, chart = systems[name], maps[name]
    result = attack(system, x, y, PGD(eps=0.2, steps=10, random_start=False, objective="margin", plan=PLAIN))
    there = chart.place(read_features(system, result.images))
    around = KNeighborsClassifier(5).fit(chart.positions, y.numpy()).predict(there)
    wrong = (result.fooled & (result.decoded >= 0)).numpy()
    own, read_as = ((around == labels.numpy())[wrong].mean() for labels in (y, result.decoded))
    print(f"{name}: {result.fooled.sum()} of {len(y)} fall; of those misread, {own:.0%} lie among their own class, "
          f"{read_as:.0%} among the class that they are read as")
    return Landed(rows=np.arange(len(y)), positions=there, decoded=result.decoded), own, read_as


ended = {name: landed(name) for name in ("tra", "deepbe", "rbc")}
feature_map(maps["tra"].positions, y, test.classes, landed=ended["tra"][0], colour="outcome",
            decoded=tra.predict(x))

# %%
feature_map(maps["deepbe"].positions, y, test.classes, landed=ended["deepbe"][0], colour="outcome",
            decoded=systems["deepbe"].predict(x))

# %% tags=["check"]
own, read_as = ({name: found[i] for name, found in ended.items()} for i in (1, 2))
assert read_as["tra"] > 0.5 > own["tra"], "TRA's pictures should mostly have gone over."
assert own["deepbe"] > 0.4 and own["deepbe"] > own["tra"] + 0.15, "DeepBE's should mostly have stayed at home."
assert all((f[0].decoded != y).float().mean() > 0.85 for f in ended.values()), "And nearly all are misread."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# TRA's pictures have gone over to the class that they are read as. Most of DeepBE's lie where they lay before, on the
# island of their own class, and are *misread all the same*. RBC is between the two. Islands a mile apart help
# nobody if the border runs past one's own front door.
#
# How can that be? DeepBE's decision hangs on four directions among all the features. A map weighs all of them alike. To
# cross the border in one of four directions, a picture does not have to leave its neighbours.
# </details>
#
# ## 6 · The place where the decision is made
#
# INT's output is one number. So its output space can be drawn without any loss: it is a line, and the intervals can be
# drawn along it. (The height means nothing. It only keeps points from covering each other.)
#
# **Predict.** Where will the attacked pictures lie that are read as None?

# %%
interval = systems["int"]
line = embed(read_outputs(interval, x), PCA())
result = attack(interval, x, y, PGD(eps=0.2, steps=10, random_start=False, objective="margin", plan=PLAIN))
rows = np.arange(len(y))
ends = Landed(rows=rows, positions=line.place(read_outputs(interval, result.images), rows), decoded=result.decoded)
feature_map(line.positions, y, test.classes, decoded=interval.predict(x), landed=ends, colour="outcome",
            line=interval.task)

# %% tags=["check"]
where = torch.from_numpy(ends.positions[:, :1]).float()
assert torch.equal(interval.task.codec.decode(where), result.decoded), "On this map the place *is* the decision."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Exactly between the coloured bands, or beyond the ends. On this map a place can be decoded, without the picture. So
# this one may be asked about borders. A map of features may not.
# </details>

# %% [markdown]
# ## Exercise 1 · Who is the nearest? (8 minutes)
#
# Write `nearest_agrees(points, labels)`: the share of points whose *nearest other* point has the same label. Both
# arguments are tensors, `(N, D)` and `(N,)`.
#
# *Hint.* `torch.cdist(points, points)` has all distances, `(N, N)`. Each point is its own nearest: make the diagonal
# infinite with `.fill_diagonal_(torch.inf)`, then `.argmin(dim=1)`.

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
    assert mine < 1 or theirs == 1, "Exercise 1: a point is not its own neighbour."
    assert abs(mine - theirs) < 0.006, f"Exercise 1: you find {mine:.1%}, tasklab finds {theirs:.1%}."

# %% [markdown]
# ## Exercise 2 · PCA in three lines (10 minutes)
#
# PCA takes the mean away and looks along the two directions in which the points spread most. These are the first two
# *rows* of `vh` in `u, s, vh = torch.linalg.svd(centred, full_matrices=False)`. Write `pca(points)`, `(N, D)` to
# `(N, 2)`.
#
# *Hint.* To look along a direction is a scalar product: `centred @ vh[:2].T`.

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
assert mine.shape == straight.positions.shape, "Exercise 2: two numbers for each point."
apart = np.abs(np.abs(mine) - np.abs(straight.positions)).max()  # an axis may point either way
assert apart < 1e-3 * np.abs(straight.positions).max(), "Exercise 2: not the plane of PCA yet. Is the mean gone?"

# %% [markdown]
# ## Exercise 3 · The same map, in disguise (5 minutes)
#
# What may be done to a map without changing what it says? Write `disguised(positions)`: *every* point should end
# somewhere else, by at least 1, but each point should have the same neighbours as before.
#
# *Hint.* There are many ways. Turn it, mirror it, make it larger, push it aside.

# %% tags=["exercise"]
def disguised(positions):
    return positions  # replace this line


# %% tags=["solution"]
def disguised(positions):
    reach = np.abs(positions).max()
    return positions[:, ::-1] * [1, -1] + [3 * reach + 1, 0]  # turned by a right angle, then pushed aside


# %% tags=["check"]
plain, other = maps["rbc"].positions, disguised(maps["rbc"].positions)
moved = np.linalg.norm(other - plain, axis=1).min()
assert moved >= 1, f"Exercise 3: some point has moved by {moved:.2g} only."
kept = [trustworthiness(plain, other, k=1), trustworthiness(other, plain, k=1)]
assert min(kept) > 0.9999, "Exercise 3: some points have new neighbours."
print("axes, directions and the size of a map mean nothing")

# %% [markdown]
# ## The same in the app
#
# The page "Feature map" shows how the map forms. Draw a lasso around points to see their pictures.

# %%
scenario = Scenario(data=DATA, image=IMAGE, objectives=("margin",), eps=0.2, steps=10, n=len(test))
for key in ("tra", "deepbe"):
    print(scenario.link("feature_map") + f"&feature_map_system={key}")

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. "On the map, RBC's classes are long and narrow, and far apart. So RBC is robust." What is wrong with each half?
# 2. A map with perplexity 5 shows 14 islands for 10 classes. Are there 14 kinds of digits?
# 3. An attacked picture lies in the middle of its own class on the map. Is it harmless?
# 4. Which map of this notebook would you use to judge how near a picture is to a border? Why?
#
# <details><summary>Answers</summary>
#
# 1. Shapes of islands and distances between them are made by t-SNE. And distances among features can be multiplied at
#    will without changing an answer: robustness is about distances between *pictures*.
# 2. Not necessarily. With few neighbours groups fall apart. Draw it with other perplexities, and look at the pictures.
# 3. No. Section 5: most of DeepBE's misread pictures lie there.
# 4. The line of INT's outputs: there a place says which class is read. How far a *picture* has to change it does not
#    say either; for that one has to attack.
# </details>
#
# ## Further reading
#
# - van der Maaten, Hinton (2008): *Visualizing Data using t-SNE*. Journal of Machine Learning Research 9, 2579–2605.
# - Wattenberg, Viégas, Johnson (2016): *How to Use t-SNE Effectively*. Distill.
#   doi:10.23915/distill.00002. Interactive.
# - Venna, Kaski (2001): *Neighborhood Preservation in Nonlinear Projection Methods: An Experimental Study*. ICANN.
#   Trustworthiness.
# - Poličar, Stražar, Zupan (2024): *openTSNE: A Modular Python Library for t-SNE Dimensionality Reduction and
#   Embedding*. Journal of Statistical Software 109(3). How new points are placed.
# - Han, Li, Long, Ge (2020): *Learning Task-aware Robust Deep Learning Systems*. arXiv:2010.05125.
#   Figure 3 and the text around it.
