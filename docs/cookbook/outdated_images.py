"""List the machines that were made from an image of which there is a newer version.

python outdated_images.py
"""

from smartdc import DataCenter

dc = DataCenter()
images = {image.id: image for image in dc.images(state="all")}
newest = {}
for image in sorted(dc.images(), key=lambda image: str(image.published_at)):
    newest[image.name, image.owner] = image

for machine in dc.machines():
    image = images.get(machine.image)
    latest = image and newest.get((image.name, image.owner))
    if image is None:
        print(machine.name, "was made from an image that is gone:", machine.image)
    elif latest and latest.id != image.id:
        print(machine.name, f"has {image.name}@{image.version}; newest: {latest.version}")
