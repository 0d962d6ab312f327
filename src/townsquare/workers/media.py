"""Uploads: made into what is shown, and removed when nobody holds them any more.

Box: workers.
"""

from townsquare.model.tasks import DeleteFiles, DeleteMedia, ProcessFilm, ProcessMedia, PurgeFiles, Task
from townsquare.social import cdn, media
from townsquare.social.ports import Ports
from townsquare.workers.jobs import Job


async def process_media(task: ProcessMedia, ports: Ports) -> None:
    """Make the files of an upload; what is made already is left alone."""
    await media.work_on(ports, task.media_id)


async def process_film(task: ProcessFilm, ports: Ports) -> None:
    """Make the files of a film or a sound; what is made already is left alone."""
    await media.work_on(ports, task.media_id)


async def delete_media(task: DeleteMedia, ports: Ports) -> None:
    """Remove those of the media that no status holds, and uploads that found no status within a day."""
    await media.remove(ports, task.media_ids)


async def delete_files(task: DeleteFiles, ports: Ports) -> None:
    """Delete files that nothing names any more, here and at the CDN."""
    await cdn.delete_files(ports, task.keys)


async def purge_files(task: PurgeFiles, ports: Ports) -> None:
    """Tell the CDN that files are gone."""
    await cdn.purge(ports, task.keys)


JOBS: dict[type[Task], Job] = {
    ProcessMedia: Job(process_media, tries=3, timeout_s=60.0),
    ProcessFilm: Job(process_film, tries=3, timeout_s=1_800.0),
    DeleteMedia: Job(delete_media),
    DeleteFiles: Job(delete_files),
    PurgeFiles: Job(purge_files),
}
