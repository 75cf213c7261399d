/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtio device on the virtio bus that is played by a test, for the driver that the kernel has.
 *
 * Memory that both sides share is the guest's own: what descriptors say is a physical address. The
 * device's side of the rings is that of the kernel, included as it is; what it may not do, put
 * nonsense into the used ring, is done here.
 */
#ifndef FAKE_VIRTIO_H
#define FAKE_VIRTIO_H

#include <linux/completion.h>
#include <linux/device.h>
#include <linux/kthread.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/workqueue.h>

#include <drivers/vhost/vringh.c>

#define FAKE_QUEUES	5
#define FAKE_CONFIG	64

/* What nothing takes as long as, unless it hangs. */
#define FAKE_PATIENCE	(60 * HZ)

struct fake_queue {
	struct virtqueue *vq;
	struct vringh ring;
	struct vringh_kiov out, in;	/* of the buffer that is served */
};

struct fake_virtio {
	struct virtio_device vdev;
	struct completion released;
	struct workqueue_struct *wq;
	struct work_struct work;
	struct fake_queue queues[FAKE_QUEUES];
	spinlock_t lock;		/* protects config and status */
	u8 config[FAKE_CONFIG];
	u8 status;

	/* Set before fake_plug(): */
	u64 features;
	u16 queue_size;
	/* The device has got a buffer, and may fake_answer(). */
	void (*serve)(struct fake_virtio *dev, struct fake_queue *queue, u16 head);
	/* Serve while the driver is notifying, which may be before it is ready. */
	bool hasty;
};

/* A driver is still busy with a device: there can be no other one. */
static bool fake_is_stuck;

static struct fake_virtio *to_fake(struct virtio_device *vdev)
{
	return container_of(vdev, struct fake_virtio, vdev);
}

/* Copy from, or to, the first of the parts of a buffer. Returns whether it fits. */
static bool fake_copy(struct vringh_kiov *iov, void *data, size_t len, bool to_driver)
{
	void *buffer;

	if (!iov->used || iov->iov[0].iov_len < len)
		return false;
	buffer = __va((phys_addr_t)(unsigned long)iov->iov[0].iov_base);
	if (to_driver)
		memcpy(buffer, data, len);
	else
		memcpy(data, buffer, len);
	return true;
}

static void fake_interrupt(struct fake_queue *queue)
{
	unsigned long flags;

	local_irq_save(flags);
	vring_interrupt(0, queue->vq);
	local_irq_restore(flags);
}

/* Give back the buffer that has this id; there may be none. */
static void fake_answer(struct fake_queue *queue, u32 id, u32 len)
{
	const struct vring_used_elem used = {
		.id	= cpu_to_vringh32(&queue->ring, id),
		.len	= cpu_to_vringh32(&queue->ring, len),
	};

	__vringh_complete(&queue->ring, &used, 1, putu16_kern, putused_kern);
	vringh_need_notify_kern(&queue->ring);
	fake_interrupt(queue);
}

/* Give back so many buffers at once, whatever stands in the ring. */
static void fake_answer_many(struct fake_queue *queue, u16 nr)
{
	struct vring_used *used = queue->ring.vring.used;

	queue->ring.last_used_idx += nr;
	WRITE_ONCE(used->idx, cpu_to_vringh16(&queue->ring, queue->ring.last_used_idx));
	fake_interrupt(queue);
}

static void fake_run(struct fake_virtio *dev)
{
	for (int i = 0; i < FAKE_QUEUES; i++) {
		struct fake_queue *queue = &dev->queues[i];
		u16 head;

		while (queue->vq && vringh_getdesc_kern(&queue->ring, &queue->out, &queue->in,
							&head, GFP_ATOMIC) == 1)
			dev->serve(dev, queue, head);
	}
}

static void fake_work(struct work_struct *work)
{
	fake_run(container_of(work, struct fake_virtio, work));
}

static bool fake_notify(struct virtqueue *vq)
{
	struct fake_virtio *dev = to_fake(vq->vdev);

	if (dev->hasty && !(dev->status & VIRTIO_CONFIG_S_DRIVER_OK))
		fake_run(dev);
	else
		queue_work(dev->wq, &dev->work);
	return true;
}

static void fake_get(struct virtio_device *vdev, unsigned int offset, void *buf, unsigned int len)
{
	struct fake_virtio *dev = to_fake(vdev);
	unsigned long flags;

	spin_lock_irqsave(&dev->lock, flags);
	memcpy(buf, dev->config + offset, len);
	spin_unlock_irqrestore(&dev->lock, flags);
}

static void fake_set(struct virtio_device *vdev, unsigned int offset, const void *buf,
		     unsigned int len)
{
	struct fake_virtio *dev = to_fake(vdev);
	unsigned long flags;

	spin_lock_irqsave(&dev->lock, flags);
	memcpy(dev->config + offset, buf, len);
	spin_unlock_irqrestore(&dev->lock, flags);
}

static u8 fake_get_status(struct virtio_device *vdev)
{
	return READ_ONCE(to_fake(vdev)->status);
}

static void fake_set_status(struct virtio_device *vdev, u8 status)
{
	WRITE_ONCE(to_fake(vdev)->status, status);
}

static void fake_reset(struct virtio_device *vdev)
{
	cancel_work_sync(&to_fake(vdev)->work);
	fake_set_status(vdev, 0);
}

static u64 fake_get_features(struct virtio_device *vdev)
{
	return to_fake(vdev)->features;
}

static int fake_finalize_features(struct virtio_device *vdev)
{
	vring_transport_features(vdev);
	return 0;
}

static void fake_del_vqs(struct virtio_device *vdev)
{
	struct fake_virtio *dev = to_fake(vdev);

	cancel_work_sync(&dev->work);
	for (int i = 0; i < FAKE_QUEUES; i++) {
		struct fake_queue *queue = &dev->queues[i];

		if (!queue->vq)
			continue;
		vring_del_virtqueue(queue->vq);
		vringh_kiov_cleanup(&queue->out);
		vringh_kiov_cleanup(&queue->in);
		queue->vq = NULL;
	}
}

static int fake_create_queue(struct fake_virtio *dev, int i, const struct virtqueue_info *info)
{
	struct fake_queue *queue = &dev->queues[i];
	const struct vring *vring;
	struct virtqueue *vq;

	vq = vring_create_virtqueue(i, dev->queue_size, SMP_CACHE_BYTES, &dev->vdev, true, false,
				    info->ctx, fake_notify, info->callback, info->name);
	if (!vq)
		return -ENOMEM;
	vring = virtqueue_get_vring(vq);
	vringh_kiov_init(&queue->out, NULL, 0);
	vringh_kiov_init(&queue->in, NULL, 0);
	queue->vq = vq;
	return vringh_init_kern(&queue->ring, dev->vdev.features, vring->num, true, vring->desc,
				vring->avail, vring->used);
}

static int fake_find_vqs(struct virtio_device *vdev, unsigned int nvqs, struct virtqueue *vqs[],
			 struct virtqueue_info vqs_info[], struct irq_affinity *desc)
{
	struct fake_virtio *dev = to_fake(vdev);
	int rc = 0;

	for (unsigned int i = 0; i < nvqs && !rc; i++) {
		vqs[i] = NULL;
		if (!vqs_info[i].name)
			continue;
		rc = fake_create_queue(dev, i, &vqs_info[i]);
		vqs[i] = dev->queues[i].vq;
	}
	if (rc)
		fake_del_vqs(vdev);
	return rc;
}

static const struct virtio_config_ops fake_config_ops = {
	.get			= fake_get,
	.set			= fake_set,
	.get_status		= fake_get_status,
	.set_status		= fake_set_status,
	.reset			= fake_reset,
	.find_vqs		= fake_find_vqs,
	.del_vqs		= fake_del_vqs,
	.get_features		= fake_get_features,
	.finalize_features	= fake_finalize_features,
};

static void fake_release(struct device *device)
{
	complete(&to_fake(dev_to_virtio(device))->released);
}

/* Plug the device in. Returns whether a driver has taken it. */
static bool fake_plug(struct fake_virtio *dev, u32 id)
{
	init_completion(&dev->released);
	spin_lock_init(&dev->lock);
	INIT_WORK(&dev->work, fake_work);
	dev->wq = alloc_ordered_workqueue("fake_virtio", 0);
	dev->vdev = (struct virtio_device) {
		.id.device	= id,
		.config		= &fake_config_ops,
		.dev.release	= fake_release,
	};
	if (!dev->wq)
		return false;
	if (register_virtio_device(&dev->vdev)) {
		put_device(&dev->vdev.dev);
		destroy_workqueue(dev->wq);
		dev->wq = NULL;
		return false;
	}
	return dev->vdev.dev.driver;
}

static int fake_unplug_thread(void *data)
{
	struct fake_virtio *dev = data;

	unregister_virtio_device(&dev->vdev);
	return 0;
}

/* Returns whether the driver let it go. */
static bool fake_unplug(struct fake_virtio *dev)
{
	if (!dev->wq || fake_is_stuck)
		return !fake_is_stuck;
	if (IS_ERR(kthread_run(fake_unplug_thread, dev, "fake_unplug")) ||
	    !wait_for_completion_timeout(&dev->released, FAKE_PATIENCE)) {
		fake_is_stuck = true;
		return false;
	}
	destroy_workqueue(dev->wq);
	dev->wq = NULL;
	return true;
}

#endif /* FAKE_VIRTIO_H */
